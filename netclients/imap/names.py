"""Names of mailboxes: modified UTF-7 (RFC 3501 section 5.1.3), or UTF-8 where that was agreed (RFC 6855).

Nothing is lost: what a server sent comes back as the same bytes, valid or not. A byte that means nothing becomes a lone
surrogate, U+DC00 plus its value, as Python does it for file names.
"""

from __future__ import annotations

import binascii
import re

from netclients.errors import ConfigurationError, printable

__all__ = ["decode_mailbox", "encode_mailbox"]

_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)(-?)")
_BEYOND = re.compile(r"[^ -~]+|&")
_LONE = re.compile(r"[\udc00-\udcff]+")
_RAW = 0xDC00


def decode_mailbox(raw: bytes, *, utf8: bool = False) -> str:
    """Return the name that a server has written as ``raw``; ``utf8``: it writes UTF-8.

    :func:`encode_mailbox` gives the same bytes again.
    """
    if utf8:
        return raw.decode("utf-8", "surrogateescape")
    if b"&" not in raw and raw.isascii() and _is_printable(raw):
        return raw.decode("ascii")
    try:
        name = _SHIFTED.sub(_unshifted, raw).decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        if _encoded(name) == raw:
            return name
    # Not what modified UTF-7 would be: all stands for itself.
    return "".join(chr(byte if 32 <= byte < 127 and byte != 0x26 else _RAW + byte) for byte in raw)


def encode_mailbox(name: str, *, utf8: bool = False) -> bytes:
    """Return a name as it is written on the wire, without quotes; ``utf8``: the server takes UTF-8.

    Raises:
        ConfigurationError: it has lone surrogates that :func:`decode_mailbox` does not make.
    """
    try:
        return name.encode("utf-8", "surrogateescape") if utf8 else _encoded(name)
    except UnicodeEncodeError:
        raise ConfigurationError(f"{printable(name)!r} can't be the name of a mailbox") from None


def _is_printable(raw: bytes) -> bool:
    return raw.decode("ascii").isprintable()


def _encoded(name: str) -> bytes:
    if name.isascii() and name.isprintable() and "&" not in name:
        return name.encode("ascii")
    out: list[bytes] = []
    at = 0
    for found in _BEYOND.finditer(name):
        out.append(name[at : found.start()].encode("ascii"))
        out.append(b"&-" if found[0] == "&" else _shifted(found[0]))
        at = found.end()
    out.append(name[at:].encode("ascii"))
    return b"".join(out)


def _shifted(text: str) -> bytes:
    """Return characters beyond ASCII in base64, and bytes that meant nothing as they were."""
    out: list[bytes] = []
    at = 0
    for found in _LONE.finditer(text):
        out += (_base64(text[at : found.start()]), bytes(ord(letter) - _RAW for letter in found[0]))
        at = found.end()
    out.append(_base64(text[at:]))
    return b"".join(out)


def _base64(text: str) -> bytes:
    if not text:
        return b""
    encoded = binascii.b2a_base64(text.encode("utf-16-be"), newline=False)
    return b"&" + encoded.rstrip(b"=").replace(b"/", b",") + b"-"


def _unshifted(found: re.Match[bytes]) -> bytes:
    letters, end = found.groups()
    if not letters and end:
        return b"&"
    try:
        padded = letters.replace(b",", b"/") + b"=" * (-len(letters) % 4)
        return binascii.a2b_base64(padded).decode("utf-16-be").encode("utf-8")
    except ValueError:
        return found[0]
