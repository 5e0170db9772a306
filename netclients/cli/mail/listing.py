"""``mail ls`` and ``mail search``: mailboxes and messages, as lines for people or as JSON."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Callable, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from netclients.cli.credentials import Credentials
from netclients.cli.failures import FAILED, complain
from netclients.cli.mail.screen import column, names_of, told
from netclients.cli.targets import parse_target
from netclients.errors import printable

if TYPE_CHECKING:
    from netclients.cli.session import Session
    from netclients.imap.listing import MailboxInfo
    from netclients.imap.mailbox import Mailbox
    from netclients.imap.search import Keywords
    from netclients.mail.reading import UID, Address, MessageInfo
    from netclients.reader import MailReader

__all__ = ["ls", "search"]


def ls(session: Session, url: str, *, long: bool) -> Coroutine[Any, Any, int]:
    """Plan to print the mailboxes of a server, or the messages of the one that the URL names.

    Raises:
        ConfigurationError: the arguments make no sense.
    """
    session.check()
    target = parse_target(url, Credentials())
    reader = session.reader(target.server)
    if target.path:
        return _list_messages(reader, target.path, _message_as_json if session.json else _message_as_line)
    return _list_mailboxes(reader, session, long=long)


def search(session: Session, url: str, query: str, keywords: Keywords, *, long: bool) -> Coroutine[Any, Any, int]:
    """Plan to print the messages of a mailbox for which everything holds.

    Raises:
        ConfigurationError: the arguments make no sense.
    """
    session.check()
    target = parse_target(url, Credentials())
    reader = session.reader(target.server)
    render = _message_as_json if session.json else _message_as_line
    return _search(reader, target.path or None, query or None, keywords, render if long else None, session)


# Mailboxes


async def _list_mailboxes(reader: MailReader, session: Session, *, long: bool) -> int:
    render = _mailbox_as_json if session.json else _mailbox_as_line if long else _mailbox_as_name
    status = ("MESSAGES", "UNSEEN") if long else ()
    async with reader, reader.list_mailboxes("*", status=status) as mailboxes:
        async for mailbox in mailboxes:
            sys.stdout.write(render(mailbox) + "\n")
    return 0


def _mailbox_as_name(mailbox: MailboxInfo) -> str:
    return printable(mailbox.name)


def _mailbox_as_line(mailbox: MailboxInfo) -> str:
    messages, unseen = _counts(mailbox)
    use = (mailbox.special_use or "").removeprefix("\\")
    return f"{_shown(messages):>7} {_shown(unseen):>7} {use:<9} {printable(mailbox.name)}"


def _mailbox_as_json(mailbox: MailboxInfo) -> str:
    messages, unseen = _counts(mailbox)
    fields = {
        "name": mailbox.name,
        "delimiter": mailbox.delimiter,
        "attributes": mailbox.attributes,
        "special_use": mailbox.special_use,
        "selectable": mailbox.selectable,
        "messages": messages,
        "unseen": unseen,
    }
    return json.dumps(fields)


def _counts(mailbox: MailboxInfo) -> tuple[int | None, int | None]:
    return (None, None) if mailbox.status is None else (mailbox.status.messages, mailbox.status.unseen)


# Messages


async def _list_messages(reader: MailReader, name: str, render: Callable[[MessageInfo], str]) -> int:
    async with reader, reader.mailbox(name, readonly=True) as box:
        return await _print(box, "1:*", render) if box.exists else 0


async def _search(
    reader: MailReader,
    name: str | None,
    query: str | None,
    keywords: Keywords,
    render: Callable[[MessageInfo], str] | None,
    session: Session,
) -> int:
    async with reader, reader.mailbox(name, readonly=True) as box:
        uids = await box.search(query, **keywords)
        if render is not None:
            return await _print(box, uids, render) if uids else 0
        for uid in uids:
            sys.stdout.write((json.dumps({"uid": uid}) if session.json else uid) + "\n")
    return 0


async def _print(box: Mailbox, uids: str | Iterable[UID], render: Callable[[MessageInfo], str]) -> int:
    code = 0
    async with box.fetch(uids, envelope=True, size=True, flags=True, internal_date=True) as messages:
        async for message in messages:
            if message.error is not None:
                complain(message.error, f"message {told(lambda: message.uid) or '?'}")  # noqa: B023 - called at once
                code = FAILED
            sys.stdout.write(render(message) + "\n")
    return code


def _message_as_line(message: MessageInfo) -> str:
    envelope = told(lambda: message.envelope)
    date = told(lambda: message.internal_date)
    sender = names_of(envelope.from_) if envelope else ""
    subject = (envelope.subject if envelope else None) or ""
    when = f"{date.astimezone(dt.UTC):%Y-%m-%d %H:%M}" if date is not None else "?"
    flags = " ".join(sorted(flag.removeprefix("\\") for flag in told(lambda: message.flags) or ()))
    size = _shown(told(lambda: message.size))
    line = f"{_shown(told(lambda: message.uid)):>6} {when:<16} {column(sender, 20)} {column(subject, 36)} {size:>9}"
    return f"{line} {printable(flags)}".rstrip()


def _message_as_json(message: MessageInfo) -> str:
    envelope = told(lambda: message.envelope)
    fields = {
        "uid": told(lambda: message.uid),
        "date": _iso(told(lambda: message.internal_date)),
        "sent": _iso(envelope.date) if envelope else None,
        "from": _addresses(envelope.from_) if envelope else None,
        "to": _addresses(envelope.to) if envelope else None,
        "cc": _addresses(envelope.cc) if envelope else None,
        "subject": envelope.subject if envelope else None,
        "message_id": envelope.message_id if envelope else None,
        "size": told(lambda: message.size),
        "flags": None if (flags := told(lambda: message.flags)) is None else sorted(flags),
    }
    return json.dumps(fields)


def _addresses(addresses: tuple[Address, ...]) -> list[dict[str, str]]:
    return [{"name": address.name, "address": address.address} for address in addresses]


def _iso(date: dt.datetime | None) -> str | None:
    return None if date is None else date.isoformat()


def _shown(value: object) -> str:
    return "?" if value is None else printable(str(value))
