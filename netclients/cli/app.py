"""The commands and their options."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

import netclients
from netclients.cli import listing, sending, stdio, transfers
from netclients.cli.failures import INTERRUPTED
from netclients.cli.mail.commands import mail
from netclients.cli.options import JSON, CAFile, Concurrency, Insecure, Rate, Resume, Verbose
from netclients.cli.running import execute
from netclients.cli.session import Session

__all__ = ["app", "run"]

app: typer.Typer = typer.Typer(
    help="Files from and to FTP servers (ftp://, ftps://, ftpes://), mail to SMTP and LMTP servers (smtp://, smtps://, "
    "lmtp://), mail on IMAP servers (imap://, imaps://). An s at the end means TLS from the first byte; otherwise it "
    "begins by command.",
    epilog="Exit codes: 0 all done, 1 some failed, 2 usage, 3 authentication, 4 connection or TLS, 130 interrupted. "
    "Credentials: URL, NETCLIENTS_USER and NETCLIENTS_PASSWORD, ~/.netrc (or $NETRC), or a prompt.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(mail)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"netclients {netclients.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version.")
    ] = False,
) -> None:
    """See the application's help."""


@app.command()
def get(
    urls: Annotated[list[str] | None, typer.Argument(metavar="URL...", help="Files.")] = None,
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="DIR|-", help="Where to put them; - is standard output.")
    ] = ".",
    url_list: Annotated[
        str | None,
        typer.Option("-i", "--input", metavar="LIST", help="A file with a URL a line; - is standard input."),
    ] = None,
    concurrency: Concurrency = 8,
    limit_rate: Rate = None,
    resume: Resume = False,
    ca_file: CAFile = None,
    insecure: Insecure = False,
    json: JSON = False,
    verbose: Verbose = False,
) -> None:
    """Download files. Several of one host share connections, several hosts are asked at once.

    A file keeps its name, grows as NAME.part, and has its name when all of it has come.
    """
    session = Session(concurrency, limit_rate, ca_file, insecure, json)
    if output == "-":
        execute(lambda: stdio.print_files(session, urls or [], url_list, resume=resume), verbose=verbose)
    else:
        execute(lambda: transfers.get(session, urls or [], url_list, Path(output), resume=resume), verbose=verbose)


@app.command()
def put(
    files: Annotated[list[str], typer.Argument(metavar="FILE... URL", help="Local files (-: standard input); URL.")],
    concurrency: Concurrency = 8,
    limit_rate: Rate = None,
    resume: Resume = False,
    ca_file: CAFile = None,
    insecure: Insecure = False,
    json: JSON = False,
    verbose: Verbose = False,
) -> None:
    """Upload files. A URL that ends with / is a directory; it must be one for several files. It is made if missing.

    A file grows as NAME.part on the server, and has its name when all of it is there.
    """
    if len(files) < 2:
        raise typer.BadParameter("at least one FILE and a URL are needed")
    *sources, url = files
    session = Session(concurrency, limit_rate, ca_file, insecure, json)
    execute(lambda: transfers.put(session, sources, url, resume=resume), verbose=verbose)


@app.command()
def ls(
    url: Annotated[str, typer.Argument(metavar="URL", help="A directory, or a file.")],
    long: Annotated[bool, typer.Option("-l", "--long", help="Mode, size and time, too.")] = False,
    ca_file: CAFile = None,
    insecure: Insecure = False,
    json: JSON = False,
    verbose: Verbose = False,
) -> None:
    """List a directory, in the server's order; times are UTC."""
    session = Session(1, None, ca_file, insecure, json)
    execute(lambda: listing.ls(session, url, long=long), verbose=verbose)


@app.command()
def cat(
    urls: Annotated[list[str], typer.Argument(metavar="URL...", help="Files.")],
    limit_rate: Rate = None,
    ca_file: CAFile = None,
    insecure: Insecure = False,
    verbose: Verbose = False,
) -> None:
    """Write files to standard output, one after the other."""
    session = Session(1, limit_rate, ca_file, insecure, False)
    execute(lambda: stdio.print_files(session, urls, None, resume=False), verbose=verbose)


@app.command()
def send(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="The server: smtp://, smtps://, lmtp://, lmtp+unix:///path.")
    ],
    sender: Annotated[str | None, typer.Option("--from", metavar="ADDRESS", help="Sender.")] = None,
    to: Annotated[list[str] | None, typer.Option("--to", metavar="ADDRESS", help="Recipient; may be repeated.")] = None,
    cc: Annotated[list[str] | None, typer.Option("--cc", metavar="ADDRESS", help="Gets a copy.")] = None,
    bcc: Annotated[list[str] | None, typer.Option("--bcc", metavar="ADDRESS", help="Gets a copy unseen.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", metavar="TEXT")] = None,
    text: Annotated[str | None, typer.Option("--text", metavar="TEXT", help="By default: standard input.")] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="The text once more, in HTML.")] = None,
    attach: Annotated[list[Path] | None, typer.Option("--attach", metavar="FILE", help="May be repeated.")] = None,
    raw: Annotated[
        list[str] | None,
        typer.Option("--raw", metavar="FILE|-", help="Send this message as it is; may be repeated."),
    ] = None,
    concurrency: Concurrency = 8,
    limit_rate: Rate = None,
    ca_file: CAFile = None,
    insecure: Insecure = False,
    json: JSON = False,
    verbose: Verbose = False,
) -> None:
    """Send mail; print what became of it for each recipient."""
    session = Session(concurrency, limit_rate, ca_file, insecure, json)
    letter = sending.Letter(sender, to or (), cc or (), bcc or (), subject, text, html, attach or (), raw or ())
    execute(lambda: sending.send(session, url, letter), verbose=verbose)


@app.command()
def demo() -> None:
    """Download hundreds of files and send hundreds of messages, with embedded servers that cut connections.

    Every checksum is verified, and every receipt compared with the mailboxes.
    """
    from rich.console import Console

    from netclients.cli.demo.run import run_demo

    execute(lambda: int(not run_demo(Console())), verbose=False)


def run() -> NoReturn:
    """Run the command that this process was started for, and end the process."""
    _prepare_streams()
    code = 0
    try:
        app(prog_name="netclients")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:
        _leave_at_once(code)
    sys.exit(code)


def _prepare_streams() -> None:
    """Make printing safe whatever the locale; names that it can't show are escaped."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # Closed by whoever started us.
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - open until the end
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _leave_at_once(code: int) -> NoReturn:
    """End without waiting for threads: one may be stuck in a read or write that nobody else will ever finish.

    Standard output is not flushed, for the same reason: the thread may hold its lock.
    """
    sys.stderr.flush()
    os._exit(code)
