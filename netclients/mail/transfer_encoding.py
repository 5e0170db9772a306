"""Content-Transfer-Encoding undone piece by piece (RFC 2045 section 6)."""

from __future__ import annotations

import binascii
import re
from abc import ABC, abstractmethod

__all__ = ["Decoder", "decoder_of"]

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")


class Decoder(ABC):
    """Takes pieces of an encoded content in order and returns what they mean."""

    @abstractmethod
    def feed(self, piece: bytes) -> bytes:
        """Return what is certain now."""

    @abstractmethod
    def finish(self) -> bytes:
        """The content is over: return the rest."""


def decoder_of(encoding: str) -> Decoder:
    """Return the decoder of an encoding; 7bit, 8bit, binary and what nobody knows stay as they are."""
    match encoding.lower():
        case "base64":
            return _Base64()
        case "quoted-printable":
            return _QuotedPrintable()
        case _:
            return _Identity()


class _Identity(Decoder):
    def feed(self, piece: bytes) -> bytes:
        return piece

    def finish(self) -> bytes:
        return b""


class _Base64(Decoder):
    """Whatever is no digit is passed over (RFC 2045 section 6.8); padding ends a run, and another one may follow."""

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, piece: bytes) -> bytes:
        *ended, digits = (self._tail + _NOT_BASE64.sub(b"", piece)).split(b"=")
        whole = len(digits) - len(digits) % 4
        self._tail = digits[whole:]
        return b"".join(map(_run, ended)) + binascii.a2b_base64(digits[:whole])

    def finish(self) -> bytes:
        # quirk_unpadded: what is cut off or was never padded.
        digits, self._tail = self._tail, b""
        return _run(digits)


def _run(digits: bytes) -> bytes:
    """Decode a run of digits that has ended; one that is left over stands for nothing."""
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


class _QuotedPrintable(Decoder):
    """Decodes whole lines; a line that goes on is kept until it ends, or is too long to be one."""

    _LONGEST = 64 * 1024

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, piece: bytes) -> bytes:
        text = self._tail + piece
        end = text.rfind(b"\n") + 1
        if not end and len(text) > self._LONGEST:
            escape = text.find(b"=", len(text) - 2)  # one that is not whole yet is not torn apart
            end = len(text) if escape < 0 else escape
        self._tail = text[end:]
        return binascii.a2b_qp(text[:end])

    def finish(self) -> bytes:
        rest, self._tail = self._tail, b""
        return binascii.a2b_qp(rest)
