"""The commands below ``mail``, and their options."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netclients.cli.mail import listing, reading, saving
from netclients.cli.options import JSON, CAFile, Insecure, Verbose, read_size
from netclients.cli.running import execute
from netclients.cli.session import Session

if TYPE_CHECKING:
    from netclients.imap.search import Keywords

__all__ = ["mail"]

mail: typer.Typer = typer.Typer(
    name="mail",
    help="Read mail on a server: imap:// (STARTTLS with credentials), imaps://. The URL's path names the mailbox.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _read_day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a day: write 2026-01-31") from None


URL = Annotated[str, typer.Argument(metavar="URL", help="imaps://host/MAILBOX; without a mailbox: INBOX.")]
Texts = Annotated[list[str] | None, typer.Option(metavar="TEXT", help="May be repeated: all must be there.")]
Day = Annotated[dt.date | None, typer.Option(metavar="DAY", parser=_read_day, help="Of arrival: 2026-01-31.")]
Size = Annotated[float | None, typer.Option(metavar="SIZE", parser=read_size, help="Bytes: 500K, 10M.")]


@mail.command()
def ls(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="imaps://host: its mailboxes; imaps://host/MAILBOX: the messages.")
    ],
    long: Annotated[bool, typer.Option("-l", "--long", help="Mailboxes: how many messages, what for.")] = False,
    ca_file: CAFile = None,
    insecure: Insecure = False,
    json: JSON = False,
    verbose: Verbose = False,
) -> None:
    """List mailboxes, or the messages of one: UID, date (UTC), sender, subject, size, flags."""
    session = Session(1, None, ca_file, insecure, json)
    execute(lambda: listing.ls(session, url, long=long), verbose=verbose)


@mail.command()
def read(
    url: URL,
    uid: Annotated[str, typer.Argument(metavar="UID", help="The message, as ls and search name it.")],
    raw: Annotated[bool, typer.Option("--raw", help="The message as it is, byte for byte.")] = False,
    ca_file: CAFile = None,
    insecure: Insecure = False,
    json: JSON = False,
    verbose: Verbose = False,
) -> None:
    """Print a message: who, when, what, and its text. It is not marked as seen."""
    session = Session(1, None, ca_file, insecure, json)
    execute(lambda: reading.read(session, url, uid, raw=raw), verbose=verbose)


@mail.command()
def search(
    url: URL,
    query: Annotated[
        list[str] | None, typer.Argument(metavar="[QUERY]...", help="In IMAP's words: OR FROM ada FROM bob.")
    ] = None,
    sender: Annotated[
        list[str] | None, typer.Option("--from", metavar="TEXT", help="May be repeated: all must be there.")
    ] = None,
    to: Texts = None,
    cc: Texts = None,
    subject: Texts = None,
    text: Texts = None,
    body: Texts = None,
    since: Day = None,
    before: Day = None,
    on: Day = None,
    larger: Size = None,
    smaller: Size = None,
    unseen: Annotated[bool, typer.Option("--unseen")] = False,
    seen: Annotated[bool, typer.Option("--seen")] = False,
    flagged: Annotated[bool, typer.Option("--flagged")] = False,
    answered: Annotated[bool, typer.Option("--answered")] = False,
    long: Annotated[bool, typer.Option("-l", "--long", help="A table like that of ls instead of UIDs.")] = False,
    ca_file: CAFile = None,
    insecure: Insecure = False,
    json: JSON = False,
    verbose: Verbose = False,
) -> None:
    """Search a mailbox; all that is given must hold. Print UIDs, one a line, or with -l a table."""
    keywords: Keywords = {}
    for name, value in {
        "from_": sender,
        "to": to,
        "cc": cc,
        "subject": subject,
        "text": text,
        "body": body,
        "since": since,
        "before": before,
        "on": on,
        "larger": None if larger is None else int(larger),
        "smaller": None if smaller is None else int(smaller),
        "unseen": unseen,
        "seen": seen,
        "flagged": flagged,
        "answered": answered,
    }.items():
        if value:
            keywords[name] = value  # type: ignore[literal-required]
    session = Session(1, None, ca_file, insecure, json)
    execute(lambda: listing.search(session, url, " ".join(query or ()), keywords, long=long), verbose=verbose)


@mail.command()
def save(
    url: URL,
    uids: Annotated[list[str], typer.Argument(metavar="UID...", help="Messages, as ls and search name them.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Where to put the files.")] = Path(),
    raw: Annotated[bool, typer.Option("--raw", help="The messages themselves, as UID.eml.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files of the same name; by default names get numbers.")
    ] = False,
    ca_file: CAFile = None,
    insecure: Insecure = False,
    json: JSON = False,
    verbose: Verbose = False,
) -> None:
    """Save attachments, or with --raw whole messages, and print where they are."""
    session = Session(1, None, ca_file, insecure, json)
    execute(lambda: saving.save(session, url, uids, output, raw=raw, overwrite=overwrite), verbose=verbose)
