"""DKIM signatures (RFC 6376) on messages of any size, by dkimpy: ``pip install 'netclients[dkim]'``.

The hash of the body is computed here, while the message's chunks pass by, so files that are read while it is sent are
read twice but never held. dkimpy does the rest: it canonicalizes the header section and signs.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from netclients.errors import ConfigurationError, printable
from netclients.mail.addresses import ascii_domain, must_be_text
from netclients.mail.message import Message

__all__ = ["DKIM", "sign"]

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?)*")
_FIELD_NAME = re.compile(r"[!-9;<>-~]+")
_SPACE = re.compile(rb"[ \t]+")
_CANONICAL = ("relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple")
_ALGORITHMS = ("rsa-sha256", "ed25519-sha256")


@dataclass(frozen=True, slots=True)
class DKIM:
    """How to sign.

    ``domain`` and ``selector`` name the DNS record ``selector._domainkey.domain`` with the public key;
    ``private_key`` is a PEM text (RSA), or the base64 of a seed for ``algorithm="ed25519-sha256"``, which needs
    PyNaCl. ``headers`` are the names of the fields to sign, From among them; a name that is there once more than the
    message has it lets nobody add another. None are the fields that RFC 6376 section 5.4.1 recommends, and From once
    more. ``canonicalization`` is that of header and body. ``identity`` is the ``i=`` tag, such as ``"@example.org"``.

    Raises:
        ConfigurationError: a field can't be right.
    """

    domain: str
    selector: str
    private_key: str | bytes = field(repr=False)
    headers: tuple[str, ...] | None = None
    canonicalization: str = "relaxed/relaxed"
    identity: str | None = None
    algorithm: str = "rsa-sha256"

    def __post_init__(self) -> None:
        must_be_text(self.selector, "dkim: the selector")
        must_be_text(self.domain, "dkim: the domain")
        if not _NAME.fullmatch(self.selector):
            raise ConfigurationError(f"dkim: {printable(self.selector)!r} is not a selector")
        if not _NAME.fullmatch(ascii_domain(self.domain) or ""):
            raise ConfigurationError(f"dkim: {printable(self.domain)!r} is not a domain")
        if not isinstance(self.private_key, bytes):
            must_be_text(self.private_key, "dkim: the private key")
        if not self.private_key:
            raise ConfigurationError("dkim: the private key is empty")
        if self.canonicalization not in _CANONICAL:
            raise ConfigurationError(f"dkim: the canonicalization is one of {', '.join(_CANONICAL)}")
        if self.algorithm not in _ALGORITHMS:
            raise ConfigurationError(f"dkim: the algorithm is one of {', '.join(_ALGORITHMS)}")
        if self.identity is not None and (not self.identity.isascii() or not re.fullmatch(r"[!-:<-~]+", self.identity)):
            raise ConfigurationError(f"dkim: {printable(self.identity)!r} can't be the identity")
        if self.headers is not None:
            self._check_headers()

    def _check_headers(self) -> None:
        assert self.headers is not None
        if isinstance(self.headers, str):
            raise ConfigurationError("dkim: headers is a tuple of names")
        for name in self.headers:
            must_be_text(name, "dkim: headers")
            if not _FIELD_NAME.fullmatch(name):
                raise ConfigurationError(f"dkim: {printable(name)!r} can't be the name of a header")
        if "from" not in map(str.lower, self.headers):
            raise ConfigurationError("dkim: From must be signed (RFC 6376 section 5.4)")


def sign(message: Message, dkim: DKIM) -> Message:
    """Return ``message`` with a signature in front. Files in it are read; so it may block.

    What :meth:`Message.as_7bit <netclients.mail.Message.as_7bit>` makes of it is signed anew.

    Raises:
        ConfigurationError: dkimpy is not installed, the key can't be read, or the message has line ends that would not
            survive.
        LocalFileError: a file in it can't be read.
    """
    _must_be_dkim(dkim)
    if message.binary:
        raise ConfigurationError("dkim: NUL, bare CR or bare LF can't be signed: they do not arrive as they are")
    header, digest = _hashed(message, dkim.canonicalization.endswith("relaxed"))
    signature = _signature(header, digest, dkim)
    signed = _Signed(
        (signature, *message.pieces),
        message_id=message.message_id,
        envelope=message.envelope,
        needs_8bit=message.needs_8bit,
        needs_smtputf8=message.needs_smtputf8,
        longest_line=max(message.longest_line, *map(len, signature.split(b"\r\n"))),
    )
    signed._unsigned, signed._dkim = message, dkim
    return signed


def _must_be_dkim(value: object) -> None:
    if not isinstance(value, DKIM):
        raise ConfigurationError(f"dkim: a {type(value).__name__} is no DKIM")


class _Signed(Message):
    __slots__ = ("_dkim", "_unsigned")

    _unsigned: Message
    _dkim: DKIM

    def as_7bit(self) -> Message | None:
        if not self.needs_8bit and not self.needs_smtputf8:
            return self
        unsigned = self._unsigned.as_7bit()
        return None if unsigned is None else sign(unsigned, self._dkim)


def _hashed(message: Message, relaxed: bool) -> tuple[bytes, bytes]:
    """Return the header section, with the empty line, and the hash of the canonical body (RFC 6376 section 3.4)."""
    chunks = message.chunks()
    header = b""
    for chunk in chunks:
        header += chunk
        if b"\r\n\r\n" in header:
            break
    header, _, first = header.partition(b"\r\n\r\n")
    body = hashlib.sha256()
    wrote = False
    for piece in _canonical(first, chunks, relaxed):
        body.update(piece)
        wrote = True
    if wrote or not relaxed:
        body.update(b"\r\n")
    return header + b"\r\n\r\n", body.digest()


def _canonical(first: bytes, chunks: Iterator[bytes], relaxed: bool) -> Iterator[bytes]:
    """Yield the body without the line ends at its end."""
    blank = b" \t\r\n" if relaxed else b"\r\n"
    held = b""
    data = first
    while True:
        data = held + data
        # Empty lines count only if something follows them.
        end = len(data.rstrip(blank))
        data, held = data[:end], data[end:]
        if relaxed and (b" " in data or b"\t" in data):
            data = _SPACE.sub(b" ", data).replace(b" \r\n", b"\r\n")
        if data:
            yield data
        following = next(chunks, None)
        if following is None:
            return
        data = following


def _signature(header: bytes, digest: bytes, dkim: DKIM) -> bytes:
    try:
        import dkim as dkimpy  # type: ignore[import-untyped]
    except ImportError:
        raise ConfigurationError("dkim: signing needs dkimpy: pip install 'netclients[dkim]'") from None

    asked = False

    class Signer(dkimpy.DKIM):  # type: ignore[misc]
        """Takes the hash of the body from us, who have seen it."""

        def gen_header(self, fields: list[tuple[bytes, bytes]], *arguments: Any, **options: Any) -> bytes:
            nonlocal asked
            asked = True
            ours = [(tag, base64.b64encode(digest) if tag == b"bh" else value) for tag, value in fields]
            return bytes(super().gen_header(ours, *arguments, **options))

    key = dkim.private_key if isinstance(dkim.private_key, bytes) else dkim.private_key.encode("utf-8", "replace")
    domain = (ascii_domain(dkim.domain) or dkim.domain).encode("ascii")
    try:
        # A logger of ours: dkimpy's own would get a handler.
        signer = Signer(header, logger=logging.getLogger("netclients.mail.dkim"))
        signature = signer.sign(
            dkim.selector.encode("ascii"),
            domain,
            key.replace(b"\r\n", b"\n"),
            signature_algorithm=dkim.algorithm.encode("ascii"),
            identity=dkim.identity.encode("ascii") if dkim.identity is not None else None,
            canonicalize=tuple(name.encode("ascii") for name in dkim.canonicalization.split("/")),
            include_headers=None if dkim.headers is None else [name.encode("ascii") for name in dkim.headers],
        )
    except Exception as error:  # noqa: BLE001 - whatever dkimpy raises, the message was not signed
        raise ConfigurationError(f"dkim: can't sign: {type(error).__name__}: {printable(str(error))}") from None
    if not asked:
        # It would be the signature of an empty body.
        raise ConfigurationError("dkim: this version of dkimpy can't be used")
    return bytes(signature)
