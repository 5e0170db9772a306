"""Whatever a caller may want to send becomes a :class:`~netclients.mail.message.Message` here.

::

    composed           → itself
    bytes, or a file   → looked through once, sent as they are
    object of email    → parsed.message_of_email

What must be known of raw bytes is found by counting and searching, never by parsing: whether every line ends with CRLF
(RFC 5321 section 2.3.8), the longest line, bytes above 127, NULs, and of the header section the Message-ID and whether
it has a Bcc. A file is read in steps, and only its header section is kept.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from netclients.errors import ConfigurationError, printable
from netclients.mail.message import NOBODY, Message
from netclients.mail.parts import is_email
from netclients.mail.pieces import crlf
from netclients.mail.scanning import first_bare, scan_file

if TYPE_CHECKING:
    import email.message

__all__ = ["Sendable", "message_of"]

Sendable: TypeAlias = Union[
    bytes, bytearray, memoryview, "os.PathLike[str]", "email.message.Message[Any, Any]", Message
]
"""A message: composed, made with :mod:`email`, as bytes, or the path of a file that holds those bytes."""


_BCC = re.compile(rb"[\r\n](resent-)?bcc[ \t]*:")
_ID_FIELD = re.compile(rb"\r\nmessage-id[ \t]*:((?:[^\r]|\r\n[ \t])*)", re.IGNORECASE)
_ID = re.compile(rb"<[^<>\s]+>")


def message_of(source: Sendable, *, normalize: bool = False, binary: bool = False) -> Message:
    """Return ``source`` as a message. Blocks if it is a path: in a coroutine, call it in a worker thread.

    An object of :mod:`email` is written with CRLF line ends and without Bcc and Resent-Bcc, which only the envelope
    knows; it is not changed itself. Its Resent fields, if it has any, make the envelope. What it lacks, a Message-ID
    for example, it lacks on the wire too.

    Bytes are sent as they are. So is a file, which is read once here, in steps, and again whenever the message is sent.
    Both have no envelope of their own: ``from_`` is "", ``recipients`` is ().

    Args:
        source: the message.
        normalize: turn bare CR and LF of raw bytes into CRLF; otherwise they are an error.
        binary: leave them; only a server with BINARYMIME (RFC 3030) takes such a message.

    Raises:
        ConfigurationError: it is no message; bare CR or LF are in the raw bytes, or a Bcc; its object can't be written.
        LocalFileError: the file can't be read.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _message_of_bytes(bytes(source), normalize=normalize, binary=binary)
    if isinstance(source, Message):
        return source
    if isinstance(source, os.PathLike):
        return _message_of_file(source, normalize=normalize, binary=binary)
    return _message_of_email(source)


def _message_of_email(source: object) -> Message:
    if not is_email(source):
        hint = "; the path of a file is a Path, the text of a message bytes" if isinstance(source, str) else ""
        raise ConfigurationError(f"a {type(source).__name__} is no message{hint}")
    from netclients.mail.parsed import message_of_email

    return message_of_email(source)


def _message_of_bytes(content: bytes, *, normalize: bool, binary: bool) -> Message:
    ends = content.count(b"\r\n")
    bare = content.count(10) != ends or content.count(13) != ends
    if bare and not binary:
        if not normalize:
            raise _bare_error(first_bare(content, 0), "")
        content = crlf(content)
    end = -1 if content.startswith(b"\r\n") else content.find(b"\r\n\r\n")
    header = b"" if content.startswith(b"\r\n") else content[:end] if end >= 0 else content
    message_id = _checked_header(header, "")
    return Message(
        (content,),
        message_id=message_id,
        envelope=NOBODY,
        needs_8bit=not content.isascii(),
        needs_smtputf8=not header.isascii(),
        binary=(bare and binary) or b"\0" in content,
    )


def _message_of_file(source: os.PathLike[str], *, normalize: bool, binary: bool) -> Message:
    path = os.path.abspath(os.fsdecode(source))
    scan, piece = scan_file(path, normalize=normalize and not binary)
    if scan.bare is not None and not binary:
        raise _bare_error(scan.bare, path)
    header = bytes(scan.header)
    return Message(
        (piece,),
        message_id=_checked_header(header, path),
        envelope=NOBODY,
        needs_8bit=not scan.is_ascii,
        needs_smtputf8=not header.isascii(),
        binary=scan.bare is not None or scan.has_nul,
        longest_line=scan.longest,
    )


def _bare_error(position: int, path: str) -> ConfigurationError:
    where = f"{printable(path)}: " if path else ""
    return ConfigurationError(
        f"{where}bare CR or LF at byte {position}: lines of a message end with CRLF; normalize=True makes them so"
    )


def _checked_header(header: bytes, path: str) -> str:
    """Return the Message-ID, "" if there is none.

    Raises:
        ConfigurationError: there is a Bcc or Resent-Bcc, which everybody would read.
    """
    lowered = b"\r\n" + header.lower()
    if b"bcc" in lowered and (found := _BCC.search(lowered)):
        name = "Resent-Bcc" if found[1] else "Bcc"
        where = f"{printable(path)}: " if path else ""
        raise ConfigurationError(f"{where}a {name} in a raw message would be sent to everybody: remove it")
    at = lowered.find(b"\r\nmessage-id")
    if at < 0:
        return ""
    field = _ID_FIELD.match(b"\r\n" + header, at)
    found_id = field and _ID.search(field[1])
    return found_id[0].decode("utf-8", "replace") if found_id else ""
