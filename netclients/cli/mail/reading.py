"""``mail read``: one message, for people, as JSON, or as it is."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from netclients.cli.credentials import Credentials
from netclients.cli.mail.screen import plain_text, visible
from netclients.cli.stdio import write_out
from netclients.cli.targets import parse_target
from netclients.errors import ConfigurationError, printable
from netclients.mail.reading import UID

if TYPE_CHECKING:
    from email.message import EmailMessage

    from netclients.cli.session import Session
    from netclients.reader import MailReader

__all__ = ["read"]

T = TypeVar("T")

_FIELDS = ("From", "To", "Cc", "Date", "Subject")


def read(session: Session, url: str, uid: str, *, raw: bool) -> Coroutine[Any, Any, int]:
    """Plan to print a message; what is returned does it.

    Raises:
        ConfigurationError: the arguments make no sense.
    """
    session.check()
    if raw and session.json:
        raise ConfigurationError("--json does not go with --raw")
    target = parse_target(url, Credentials())
    reader, name = session.reader(target.server), target.path or None
    return _print_raw(reader, name, UID(uid)) if raw else _print(reader, name, UID(uid), as_json=session.json)


async def _print_raw(reader: MailReader, name: str | None, uid: UID) -> int:
    async with reader, reader.mailbox(name, readonly=True) as box, box.stream(uid) as chunks:
        async for chunk in chunks:
            await write_out(chunk)
    return 0


async def _print(reader: MailReader, name: str | None, uid: UID, *, as_json: bool) -> int:
    async with reader, reader.mailbox(name, readonly=True) as box:
        message = await box.read(uid)
    sys.stdout.write(_as_json(uid, message) if as_json else _as_text(message))
    return 0


def _as_text(message: EmailMessage) -> str:
    lines = [f"{name}: {printable(value)}" for name in _FIELDS if (value := _field(message, name)) is not None]
    lines += [
        f"Attachment: {printable(name or '(without a name)')} ({printable(kind)}, {size} bytes)"
        for name, kind, size in _attachments(message)
    ]
    text = visible(_text(message))
    return "\n".join([*lines, "", text if not text or text.endswith("\n") else text + "\n"])


def _as_json(uid: UID, message: EmailMessage) -> str:
    fields = {
        "uid": uid,
        **{name.lower(): _field(message, name) for name in (*_FIELDS, "Message-ID")},
        "text": _text(message),
        "attachments": [{"name": name, "type": kind, "size": size} for name, kind, size in _attachments(message)],
    }
    return json.dumps(fields) + "\n"


def _field(message: EmailMessage, name: str) -> str | None:
    def look() -> str | None:
        value = message[name]
        return None if value is None else str(value)

    unreadable: str | None = "(can't be understood)"
    return _understood(look, unreadable)


def _text(message: EmailMessage) -> str:
    texts = {_kind(part): part for part in _parts(message) if not _is_attachment(part)}
    if "text/plain" in texts:
        return _decoded(texts["text/plain"])
    return plain_text(_decoded(texts["text/html"])) if "text/html" in texts else ""


def _attachments(message: EmailMessage) -> Iterator[tuple[str | None, str, int]]:
    for part in reversed(_parts(message)):
        if _is_attachment(part):
            yield _understood(part.get_filename, None), _kind(part), len(_content(part))


def _parts(message: EmailMessage) -> list[Any]:
    """Return the parts that hold something; the first of a kind comes last, so that it wins."""
    found: list[Any] = []
    waiting: list[Any] = [message]
    while waiting:
        part = waiting.pop()
        if part.is_multipart() and not _kind(part).startswith("message/"):
            waiting.extend(reversed(part.get_payload()))
        else:
            found.append(part)
    return found[::-1]


def _is_attachment(part: Any) -> bool:
    disposition = _understood(part.get_content_disposition, "attachment")
    named = _understood(part.get_filename, None) is not None
    return disposition == "attachment" or named or not _kind(part).startswith(("text/", "multipart/"))


def _kind(part: Any) -> str:
    return _understood(part.get_content_type, "application/octet-stream")


def _content(part: Any) -> bytes:
    if part.is_multipart():
        return _understood(lambda: part.get_payload(0).as_bytes(), b"")
    content: bytes | None = _understood(lambda: part.get_payload(decode=True), None)
    return content or b""


def _decoded(part: Any) -> str:
    charset = _understood(lambda: part.get_content_charset("utf-8"), "utf-8")
    try:
        return _content(part).decode(charset, "replace")
    except (LookupError, ValueError):
        return _content(part).decode("utf-8", "replace")


def _understood(look: Callable[[], T], otherwise: T) -> T:
    try:
        return look()
    except Exception:  # noqa: BLE001 - the standard library's parser raises anything at what strangers have written
        return otherwise
