"""Messages that were read from a server, and the files that come out of them."""

from __future__ import annotations

import ntpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netclients.errors import NetClientError
from netclients.mail.parsed import parse

if TYPE_CHECKING:
    from email.message import EmailMessage

    from netclients.mail.reading import UID

__all__ = ["Received", "clean_filename", "numbered"]

_LONGEST = 200  # bytes: file systems take 255, and a number may come behind
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"/\\|?*\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]')
_RESERVED = re.compile(r"(?i:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)\s*(?:\.|$)")


@dataclass(frozen=True, slots=True)
class Received:
    """One message that was asked for: ``raw`` as the server sent it, empty if ``error`` tells why there is none."""

    uid: UID
    raw: bytes = field(default=b"", repr=False)
    error: NetClientError | None = None

    @property
    def message(self) -> EmailMessage:
        """The message as an object of :mod:`email`, made anew at each look.

        Raises:
            NetClientError: ``error``.
        """
        self.raise_for_error()
        return parse((self.raw,))

    def raise_for_error(self) -> None:
        """Raise ``error`` if there is one."""
        if self.error is not None:
            raise self.error


def clean_filename(name: str | None, fallback: str) -> str:
    """Return a name that a sender has chosen as one that is harmless in a directory of any system.

    Of a path only the last part counts. What controls terminals, turns text around or has a meaning on Windows becomes
    ``_``; leading dots, which hide files, and trailing dots and spaces go. ``fallback`` if nothing is left.
    """
    text = ntpath.basename((name or "").replace("/", "\\"))
    text = _UNSAFE.sub("_", text).strip().lstrip(". ")
    if _RESERVED.match(text):
        text = f"_{text}"
    return _shortened(text).rstrip(". ") or fallback


def numbered(name: str, number: int) -> str:
    """Return ``name`` with a number before its extension; 0: as it is."""
    if not number:
        return name
    stem, dot, extension = name.rpartition(".")
    return f"{stem} ({number}).{extension}" if dot and stem else f"{name} ({number})"


def _shortened(name: str) -> str:
    if len(name.encode("utf-8", "surrogatepass")) <= _LONGEST:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension) > 20:
        stem, extension = name, ""
    room = _LONGEST - len(extension.encode("utf-8")) - 1
    stem = stem.encode("utf-8")[:room].decode("utf-8", "ignore")
    return f"{stem}.{extension}" if extension else stem
