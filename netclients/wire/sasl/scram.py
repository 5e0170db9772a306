"""SCRAM-SHA-1 and SCRAM-SHA-256, with and without channel binding (RFC 5802, RFC 7677).

The password does not cross the wire, and the server proves that it knows it too. The computing is scramp's; what
comes from the server is measured here first, and whatever scramp raises leaves as one of our errors.
"""

from __future__ import annotations

import enum
import re
from typing import Protocol, cast

from netclients.errors import ConfigurationError, ProtocolError, printable
from netclients.wire.sasl.exchange import ChannelBinding, Exchange

__all__ = ["BINDING_KINDS", "FEWEST_ITERATIONS", "MOST_ITERATIONS", "Scram"]

BINDING_KINDS = frozenset({"tls-unique", "tls-server-end-point"})
"""Kinds of channel binding that scramp knows: ``tls-exporter`` is not among them."""

FEWEST_ITERATIONS = 4096
"""Fewer make a stolen exchange cheap to search for the password (RFC 7677 section 4)."""
MOST_ITERATIONS = 600_000
"""Rounds of PBKDF2 that a server may ask for, once an exchange. The event loop stands still meanwhile: 0.2 s at the
3.3 million rounds a second of the core that this was measured on, under a second on one five times slower. Servers
ask for 4,096 to 15,000 by default (1 to 5 ms); 600,000 is OWASP's advice for SHA-256."""

# RFC 5802 section 7. Numbers are bounded here already: Python's int() takes time, or raises, for long ones.
_SERVER_FIRST = re.compile(
    r"r=[\x21-\x2b\x2d-\x7e]{1,1024},s=[A-Za-z0-9+/]{1,1368}={0,2},i=(?P<iterations>[1-9][0-9]{0,9})(?:,.*)?", re.DOTALL
)


class _Client(Protocol):
    """What is used of scramp.ScramClient, which has no types of its own."""

    def get_client_first(self) -> str: ...
    def set_server_first(self, message: str) -> None: ...
    def get_client_final(self) -> str: ...
    def set_server_final(self, message: str) -> None: ...


class _Stage(enum.Enum):
    SERVER_FIRST = enum.auto()
    SERVER_FINAL = enum.auto()
    PROVEN = enum.auto()
    REFUSED = enum.auto()


class Scram(Exchange):
    """One SCRAM exchange.

    ``name`` is the mechanism. ``binding`` is needed by the ``-PLUS`` forms; the others say by it that the client could
    bind, but believes that the server can't (gs2 flag ``y``, RFC 5802 section 6): a server that can then knows that
    somebody has meddled with its offer. ``nonce`` is for tests.

    Raises:
        ConfigurationError: name or password has what SASLprep forbids (RFC 4013).
    """

    __slots__ = ("_client", "_stage")

    def __init__(
        self, name: str, user: str, password: str, binding: ChannelBinding | None = None, nonce: str | None = None
    ) -> None:
        self._client, first = _begin(name, user, password, binding, nonce)
        self._stage = _Stage.SERVER_FIRST
        super().__init__(name, first.encode("utf-8"))

    def _answer(self, challenge: bytes) -> bytes:
        message = self._text(challenge)
        if self._stage not in (_Stage.SERVER_FIRST, _Stage.SERVER_FINAL):
            raise self._unexpected()
        if message.startswith("e="):
            # A refusal: the protocol's own no follows, and says so to the caller.
            self._stage = _Stage.REFUSED
            return b""
        if self._stage is _Stage.SERVER_FINAL:
            self._verify(message)
            return b""
        return self._prove(message)

    def _prove(self, message: str) -> bytes:
        found = _SERVER_FIRST.fullmatch(message)
        if found is None:
            raise ProtocolError(f"the server's first message in {self.name} is malformed")
        iterations = int(found["iterations"])
        if not FEWEST_ITERATIONS <= iterations <= MOST_ITERATIONS:
            raise ProtocolError(
                f"the server asks for {iterations} iterations in {self.name}: "
                f"not between {FEWEST_ITERATIONS} and {MOST_ITERATIONS}"
            )
        try:
            self._client.set_server_first(message)
            final = self._client.get_client_final()
        except _scramp_errors() as error:
            raise ProtocolError(f"the server's first message in {self.name}: {_reason(error)}") from error
        self._stage = _Stage.SERVER_FINAL
        return final.encode("utf-8")

    def _verify(self, message: str) -> None:
        try:
            self._client.set_server_final(message)
        except _scramp_errors() as error:
            raise ProtocolError(
                f"the server has not proven that it knows the password ({self.name}): {_reason(error)}"
            ) from error
        self._stage = _Stage.PROVEN

    def conclude(self, additional: bytes | None) -> None:
        """See :meth:`Exchange.conclude`: the server's signature must have come, or come now, and be right."""
        if additional and self._stage is _Stage.SERVER_FINAL:
            self.respond(additional)
        if self._stage is not _Stage.PROVEN:
            raise ProtocolError(f"the server has not proven that it knows the password ({self.name})")

    def _text(self, challenge: bytes) -> str:
        try:
            return challenge.decode("utf-8")
        except UnicodeDecodeError:
            raise ProtocolError(f"the server sent a message that is not UTF-8 in {self.name}") from None


def _begin(
    name: str, user: str, password: str, binding: ChannelBinding | None, nonce: str | None
) -> tuple[_Client, str]:
    # Imported when used: scramp brings ssl and asn1crypto.
    import scramp  # type: ignore[import-untyped]

    if name.endswith("-PLUS") and binding is None:
        raise ConfigurationError(f"{name} needs a channel binding")
    bound = None if binding is None else (binding.kind, binding.data)
    try:
        client = cast("_Client", scramp.ScramClient([name], user, password, channel_binding=bound, c_nonce=nonce))
        return client, client.get_client_first()
    except scramp.ScramException as error:
        raise ConfigurationError(
            f"user name or password can't be used in {name}: {_reason(error)} (SASLprep, RFC 4013)"
        ) from error


def _scramp_errors() -> tuple[type[Exception], ...]:
    """Return what scramp raises over what it was given: its own error, and in older versions base64's."""
    import scramp

    return (scramp.ScramException, ValueError)


def _reason(error: Exception) -> str:
    return printable(str(error.args[0])) if error.args else type(error).__name__
