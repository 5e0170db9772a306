"""Mechanisms of one thought: PLAIN, LOGIN, CRAM-MD5, EXTERNAL."""

from __future__ import annotations

import hmac

from netclients.errors import ProtocolError
from netclients.wire.sasl.exchange import Exchange, octets

__all__ = ["CramMD5", "External", "LoginPrompts", "Plain", "has_md5"]


class Plain(Exchange):
    """PLAIN (RFC 4616): name and password in clear, without an authorization identity."""

    __slots__ = ()

    def __init__(self, user: str, password: str) -> None:
        super().__init__("PLAIN", b"\0%s\0%s" % (octets(user, "the user name"), octets(password, "the password")))

    def _answer(self, challenge: bytes) -> bytes:
        raise self._unexpected()


class LoginPrompts(Exchange):
    """LOGIN (draft-murchison-sasl-login): two prompts, whose text means nothing."""

    __slots__ = ("_answers",)

    def __init__(self, user: str, password: str) -> None:
        super().__init__("LOGIN", None)
        self._answers = [octets(password, "the password"), octets(user, "the user name")]

    def _answer(self, challenge: bytes) -> bytes:
        if not self._answers:
            raise self._unexpected()
        return self._answers.pop()


class CramMD5(Exchange):
    """CRAM-MD5 (RFC 2195): the password keys a digest of the server's challenge."""

    __slots__ = ("_answered", "_password", "_user")

    def __init__(self, user: str, password: str) -> None:
        super().__init__("CRAM-MD5", None)
        self._user = octets(user, "the user name")
        self._password = octets(password, "the password")
        self._answered = False

    def _answer(self, challenge: bytes) -> bytes:
        if self._answered:
            raise self._unexpected()
        if not challenge:
            # Always the same digest: good for a table of passwords, and for nothing else.
            raise ProtocolError("the server sent an empty challenge in CRAM-MD5")
        self._answered = True
        return b"%s %s" % (self._user, hmac.new(self._password, challenge, "md5").hexdigest().encode("ascii"))


def has_md5() -> bool:
    """Return whether this Python computes MD5 at all: OpenSSL in FIPS mode does not."""
    try:
        hmac.new(b"", b"", "md5")
    except ValueError:
        return False
    return True


class External(Exchange):
    """EXTERNAL (RFC 4422 appendix A): who one is, the TLS certificate has shown already."""

    __slots__ = ()

    def __init__(self, identity: str) -> None:
        super().__init__("EXTERNAL", octets(identity, "the identity"))

    def _answer(self, challenge: bytes) -> bytes:
        raise self._unexpected()
