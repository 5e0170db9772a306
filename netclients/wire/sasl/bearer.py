"""Access tokens: OAUTHBEARER and Google's XOAUTH2.

Both say all in the initial response. A server that refuses it sends a challenge with the reasons in JSON, and its
final no only after an answer to that. The reasons are not read: the final reply repeats what matters.
"""

from __future__ import annotations

import re

from netclients.errors import ConfigurationError
from netclients.wire.sasl.exchange import Exchange, Token, octets

__all__ = ["OAuthBearer", "XOAuth2"]

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class _Bearer(Exchange):
    __slots__ = ("_acknowledgement",)

    def __init__(self, name: str, initial: bytes, acknowledgement: bytes) -> None:
        super().__init__(name, initial)
        self._acknowledgement: bytes | None = acknowledgement

    def _answer(self, challenge: bytes) -> bytes:
        if self._acknowledgement is None:
            raise self._unexpected()
        answer, self._acknowledgement = self._acknowledgement, None
        return answer


class OAuthBearer(_Bearer):
    """OAUTHBEARER (RFC 7628). ``host`` and ``port`` name the server that the token is for; empty and 0: unsaid."""

    __slots__ = ()

    def __init__(self, credentials: Token, host: str = "", port: int = 0) -> None:
        user = _field(credentials.user, "the user name").replace(b"=", b"=3D").replace(b",", b"=2C")
        fields = [b"n,a=%s," % user]
        if host:
            fields.append(b"host=%s" % _field(host, "the host name"))
        if port:
            fields.append(b"port=%d" % port)
        fields.append(b"auth=Bearer %s" % _field(credentials.token, "the access token"))
        super().__init__("OAUTHBEARER", b"\x01".join([*fields, b"", b""]), b"\x01")


class XOAuth2(_Bearer):
    """XOAUTH2, Google's forerunner of OAUTHBEARER (https://developers.google.com/gmail/imap/xoauth2-protocol)."""

    __slots__ = ()

    def __init__(self, credentials: Token) -> None:
        user = _field(credentials.user, "the user name")
        token = _field(credentials.token, "the access token")
        super().__init__("XOAUTH2", b"user=%s\x01auth=Bearer %s\x01\x01" % (user, token), b"")


def _field(text: str, what: str) -> bytes:
    # %x01 ends a field: it would let one value pass for several.
    if _CONTROL.search(text):
        raise ConfigurationError(f"control character in {what}")
    return octets(text, what)
