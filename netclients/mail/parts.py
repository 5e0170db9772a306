"""The parts of a MIME message (RFC 2045, 2046): texts, attachments, and the containers around them.

A :class:`Part` is a header section and a body in pieces. Texts and attachments become 7-bit by the encoding that fits;
messages within the message are the exception: they must stay as they are (RFC 2046 section 5.2.1).
"""

from __future__ import annotations

import binascii
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard, Union

from netclients.errors import ConfigurationError, printable
from netclients.mail.addresses import must_be_text
from netclients.mail.fields import encoded, parameter, tokens_field
from netclients.mail.message import Message
from netclients.mail.pieces import FilePiece, Piece, base64_lines, base64_size, crlf, opened
from netclients.mail.scanning import Scan, scan_file

if TYPE_CHECKING:
    import email.message

__all__ = ["Attachment", "Part", "attachment_part", "container", "encoded_body", "inline_part", "text_part"]

Content: TypeAlias = "bytes | bytearray | memoryview | os.PathLike[str]"

Attachment: TypeAlias = Union[
    str,
    "os.PathLike[str]",
    tuple[str, Content],
    tuple[str, Content, str],
    "email.message.Message[Any, Any]",
    Message,
]
"""A path (text is one too); name, content and, if need be, content type; a part made with :mod:`email`; a message."""

_LINE = 78
_QP_LINE = 76
_HIGH = bytes(range(128, 256))
_FROM = re.compile(rb"^From ", re.MULTILINE)
_NAME = r"[!#$%&'*+.^_`{|}~0-9A-Za-z-]+"
_CONTENT_TYPE = re.compile(rf'{_NAME}/{_NAME}(?:[ \t]*;[ \t]*{_NAME}=(?:{_NAME}|"(?:[ !#-\[\]-~]|\\[ -~])*"))*')
_LONGEST_TYPE = 500
_CONTENT_ID = re.compile(r"[A-Za-z0-9!#$&'*+/=?^_`{|}~.@-]{1,200}")


@dataclass(frozen=True, slots=True)
class Part:
    """One part. ``header`` lacks the empty line behind it; ``longest`` is the longest line of ``body``, in bytes.

    ``raw_8bit`` and ``binary`` tell whether bytes above 127 or NULs are in the body.
    """

    header: bytes
    body: tuple[Piece, ...]
    longest: int
    raw_8bit: bool = False
    binary: bool = False


def text_part(subtype: str, text: str) -> Part:
    """Return a text as ``text/plain`` or ``text/html`` in UTF-8. Every kind of line end becomes CRLF.

    Raises:
        ConfigurationError: it is no text, or has lone surrogates.
    """
    where = "html" if subtype == "html" else "text"
    must_be_text(text, where)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    data = encoded(text, where)
    if data and not data.endswith(b"\n"):
        data += b"\n"
    encoding, body = _text_body(data)
    header = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n'
    return Part(header.encode("ascii"), (body,), _LINE)


def _text_body(data: bytes) -> tuple[str, bytes]:
    """Encode lines that end with LF."""
    if data.isascii() and b"\0" not in data and max(map(len, data.split(b"\n"))) <= _LINE and not _FROM.search(data):
        return "7bit", data.replace(b"\n", b"\r\n")
    return encoded_body(data)


def encoded_body(data: bytes) -> tuple[str, bytes]:
    """Return quoted-printable or base64 of a text whose lines end with LF, whichever is shorter, with its name."""
    high = len(data) - len(data.translate(None, _HIGH))
    if high * 5 > len(data):
        return "base64", base64_lines(data.replace(b"\n", b"\r\n"))
    text = binascii.b2a_qp(data)
    # Some who store mail in one file take a line that begins so for the next message.
    text = _FROM.sub(b"=46rom =\n", text)
    lines = text.split(b"\n")
    if max(map(len, lines)) > _QP_LINE:
        # A space at the end of a full line was encoded: that made it longer than is allowed.
        lines = [line if len(line) <= _QP_LINE else line[:-3] + b"=\r\n" + line[-3:] for line in lines]
    return "quoted-printable", b"\r\n".join(lines)


def container(subtype: str, parts: Sequence[Part], *parameters: str) -> Part:
    """Return a multipart with ``parts`` in it (RFC 2046 section 5.1)."""
    # Longer than anybody could guess, and in no line of base64 or quoted-printable.
    boundary = f"=_{os.urandom(15).hex()}"
    delimiter = f"--{boundary}\r\n".encode("ascii")
    body: list[Piece] = []
    for part in parts:
        body += (delimiter, part.header, b"\r\n", *part.body, b"\r\n")
    body.append(f"--{boundary}--\r\n".encode("ascii"))
    raw_8bit = any(part.raw_8bit for part in parts)
    binary = any(part.binary for part in parts)
    header = _type_field([f"multipart/{subtype}", *parameters, f'boundary="{boundary}"'])
    if raw_8bit or binary:
        # RFC 2045 section 6.4: a container is as much as its parts are.
        header += b"Content-Transfer-Encoding: " + (b"binary" if binary else b"8bit") + b"\r\n"
    return Part(header, tuple(body), max([_LINE, *(part.longest for part in parts)]), raw_8bit, binary)


def attachment_part(attachment: Attachment) -> Part:
    """Return what is attached.

    Raises:
        ConfigurationError: it is nothing that can be attached, or its name or type can't be written.
        LocalFileError: the file can't be read.
    """
    if isinstance(attachment, Message):
        return _message_part(attachment)
    if is_email(attachment):
        return _email_part(attachment)
    return _content_part(*_named(attachment, "attachments"), "attachments")


def inline_part(content_id: str, attachment: Attachment) -> Part:
    """Return what an HTML text shows as ``cid:content_id`` (RFC 2392).

    Raises:
        ConfigurationError: as in :func:`attachment_part`; or the identifier has other characters than a URL may have.
        LocalFileError: the file can't be read.
    """
    must_be_text(content_id, "inline")
    if not _CONTENT_ID.fullmatch(content_id):
        raise ConfigurationError(f"inline: {printable(content_id)!r} can't be a content identifier")
    return _content_part(*_named(attachment, "inline"), "inline", content_id)


def is_email(value: object) -> TypeGuard[email.message.Message[Any, Any]]:
    """Tell whether it is an object of :mod:`email`, without importing that."""
    return hasattr(value, "get_content_maintype")


def _named(attachment: Any, where: str) -> tuple[Any, Any, Any]:
    """Return name, content, and type if it was said."""
    if isinstance(attachment, (str, os.PathLike)):
        path = Path(os.fsdecode(attachment))
        return path.name, path, None
    if isinstance(attachment, tuple) and len(attachment) in (2, 3):
        name, content, *rest = attachment
        return name, content, rest[0] if rest else None
    raise ConfigurationError(
        f"{where}: a path or (name, content[, type]) is needed, a {type(attachment).__name__} was given"
    )


def _content_part(name: Any, content: Any, content_type: Any, where: str, content_id: str = "") -> Part:
    must_be_text(name, where)
    if content_type is None:
        content_type = _guessed_type(name)
    elif not isinstance(content_type, str) or len(content_type) > _LONGEST_TYPE or not _is_type(content_type):
        raise ConfigurationError(f"{where}: {printable(str(content_type))!r} is not a content type")
    main = content_type.lower()
    if main.startswith("multipart/"):
        raise ConfigurationError(f"{where}: bytes can't be attached as {content_type}: make the parts with email")
    as_lines = main.startswith("message/") and not main.startswith("message/global")
    encoding, part = _lines_body(content, where) if as_lines else _base64_body(content, where)
    disposition = "inline" if content_id else "attachment"
    tokens = [disposition, *parameter("filename", name, where)] if name else [disposition]
    header = _type_field([content_type]) + _parameters_field("Content-Disposition", tokens)
    if content_id:
        header += f"Content-ID: <{content_id}>\r\n".encode("ascii")
    header += f"Content-Transfer-Encoding: {encoding}\r\n".encode("ascii")
    return Part(header, part.body, part.longest, part.raw_8bit, part.binary)


def _is_type(content_type: str) -> bool:
    return content_type.isascii() and _CONTENT_TYPE.fullmatch(content_type) is not None


def _guessed_type(name: str) -> str:
    import mimetypes

    guessed, compression = mimetypes.guess_type(f"/{name}")
    if compression == "gzip":
        return "application/gzip"
    if guessed is None or compression or guessed.startswith("multipart/") or not _is_type(guessed):
        return "application/octet-stream"
    return guessed


def _base64_body(content: Any, where: str) -> tuple[str, Part]:
    if isinstance(content, os.PathLike):
        path = os.path.abspath(os.fsdecode(content))
        with opened(path) as (_, state):
            return "base64", Part(b"", (FilePiece(path, base64_size(state[0]), "base64", state),), 76)
    return "base64", Part(b"", (base64_lines(_bytes_of(content, where)),), 76)


def _lines_body(content: Any, where: str) -> tuple[str, Part]:
    """Return a message as it is, but for the ends of its lines."""
    if isinstance(content, os.PathLike):
        scan, piece = scan_file(os.path.abspath(os.fsdecode(content)), normalize=True)
        body: Piece = piece
    else:
        body = crlf(bytes(_bytes_of(content, where)))
        scan = Scan()
        scan.feed(body)
        scan.finish()
    encoding = "binary" if scan.has_nul else "7bit" if scan.is_ascii else "8bit"
    return encoding, Part(b"", (body,), scan.longest, not scan.is_ascii, scan.has_nul)


def _bytes_of(content: Any, where: str) -> bytes | bytearray | memoryview:
    if isinstance(content, memoryview):
        return content.tobytes()
    if isinstance(content, (bytes, bytearray)):
        return content
    raise ConfigurationError(f"{where}: the content is bytes or a path, not a {type(content).__name__}")


def _message_part(message: Message) -> Part:
    """Attach a message: its 7-bit form if it has one, since it can't be encoded."""
    message = message.as_7bit() or message
    subtype, encoding = "rfc822", "binary" if message.binary else "8bit" if message.needs_8bit else "7bit"
    if message.needs_smtputf8:
        subtype = "global"  # RFC 6532 section 3.7
    header = (
        f"Content-Type: message/{subtype}\r\nContent-Disposition: attachment\r\n"
        f"Content-Transfer-Encoding: {encoding}\r\n"
    )
    return Part(header.encode("ascii"), message.pieces, message.longest_line, message.needs_8bit, message.binary)


def _email_part(part: email.message.Message[Any, Any]) -> Part:
    from netclients.mail.parsed import message_of_email, written_part

    if "From" in part:
        return _message_part(message_of_email(part))
    header, body = written_part(part)
    scan = Scan()
    scan.feed(body)
    scan.finish()
    return Part(header, (body,), scan.longest, not scan.is_ascii, scan.has_nul)


def _type_field(tokens: Iterable[str]) -> bytes:
    return _parameters_field("Content-Type", tokens)


def _parameters_field(name: str, tokens: Iterable[str]) -> bytes:
    """Return a field whose tokens have semicolons between them."""
    *others, last = tokens
    return tokens_field(name, [*(f"{token};" for token in others), last])
