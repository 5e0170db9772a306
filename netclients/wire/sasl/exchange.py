"""What all mechanisms share: the shape of an exchange, its values, its bounds, and its base64."""

from __future__ import annotations

import binascii
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Literal

from netclients.errors import ConfigurationError, ProtocolError

__all__ = ["LONGEST_CHALLENGE", "ChannelBinding", "Exchange", "Token", "decode", "encode", "octets"]

LONGEST_LINE = 12_288
"""Bytes of base64 in one challenge: what RFC 4954 section 4 gives a line of an authentication."""
LONGEST_CHALLENGE = LONGEST_LINE // 4 * 3
"""Bytes of one challenge, decoded."""


@dataclass(frozen=True, slots=True)
class ChannelBinding:
    """What ties a login to the TLS connection that it came by (RFC 5056): its ``kind``, and the ``data`` of that kind.

    ``tls-unique`` and ``tls-server-end-point`` are those of RFC 5929, ``tls-exporter`` that of RFC 9266. ``doubtful``:
    no standard defines it on this connection, and though some servers take it, it is used on request only.
    """

    kind: Literal["tls-unique", "tls-exporter", "tls-server-end-point"]
    data: bytes = field(repr=False)
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """A user and the access token to log in with: an :class:`~netclients.config.OAuth` whose provider was asked."""

    user: str
    token: str = field(repr=False)


class Exchange(ABC):
    """One authentication: used once, then thrown away.

    ``name`` is the mechanism's, in upper case. ``initial`` is the initial response: it may be empty (EXTERNAL);
    None where the server speaks first.
    """

    __slots__ = ("initial", "name")

    def __init__(self, name: str, initial: bytes | None) -> None:
        self.name: str = name
        self.initial: bytes | None = initial

    def respond(self, challenge: bytes) -> bytes:
        """Answer a challenge. Both are the mechanism's own bytes, without base64.

        Raises:
            ProtocolError: the mechanism has no answer to this, or the challenge is longer than 9,216 bytes.
        """
        if len(challenge) > LONGEST_CHALLENGE:
            raise ProtocolError(f"the server sent a challenge of more than {LONGEST_CHALLENGE} bytes in {self.name}")
        return self._answer(challenge)

    @abstractmethod
    def _answer(self, challenge: bytes) -> bytes:
        """Answer a challenge of bearable size."""

    def conclude(self, additional: bytes | None) -> None:  # noqa: B027 - most mechanisms prove nothing
        """Hear that the server calls the login successful; ``additional`` is the data that came with it, if any.

        Raises:
            ProtocolError: the mechanism lets the server prove itself (SCRAM), and it has not.
        """

    def _unexpected(self) -> ProtocolError:
        return ProtocolError(f"the server asks for more than {self.name} has to say")


def octets(text: str, what: str) -> bytes:
    """Encode a name or a password: UTF-8, and bytes that a URL spelled with ``%`` as they are.

    Raises:
        ConfigurationError: it has a NUL, which would end it early (RFC 4616), or a lone surrogate.
    """
    if "\0" in text:
        raise ConfigurationError(f"NUL in {what}")
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        # The reason would quote the text.
        raise ConfigurationError(f"lone surrogate in {what}") from None


def encode(response: bytes) -> bytes:
    """Return ``response`` in base64. What stands for an empty *initial* response, often ``=``, is up to the caller."""
    return binascii.b2a_base64(response, newline=False)


def decode(challenge: bytes) -> bytes:
    """Undo the base64 of a challenge; the empty one is empty.

    Raises:
        ProtocolError: it is not base64 (RFC 4648 section 4), or longer than 12,288 bytes.
    """
    if len(challenge) > LONGEST_LINE:
        raise ProtocolError(f"the server sent a challenge of more than {LONGEST_LINE} bytes")
    try:
        return binascii.a2b_base64(challenge, strict_mode=True)
    except binascii.Error:
        raise ProtocolError("the server sent a challenge that is not base64") from None
