"""Which mechanism: the strongest that the server offers, the credentials can do, and the caller allows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol, runtime_checkable

from netclients.errors import ConfigurationError, UnsupportedError, printable
from netclients.wire.sasl.bearer import OAuthBearer, XOAuth2
from netclients.wire.sasl.exchange import ChannelBinding, Exchange, Token
from netclients.wire.sasl.scram import BINDING_KINDS, Scram
from netclients.wire.sasl.simple import CramMD5, External, LoginPrompts, Plain, has_md5

__all__ = ["MECHANISMS", "choose"]

_BOUND = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS")
_SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-1")
_FOR_PASSWORDS = (*_BOUND, *_SCRAM, "CRAM-MD5", "PLAIN", "LOGIN")
_FOR_TOKENS = ("OAUTHBEARER", "XOAUTH2")
_FOR_CERTIFICATES = ("EXTERNAL",)
_READABLE = frozenset({"PLAIN", "LOGIN", *_FOR_TOKENS})

MECHANISMS: tuple[str, ...] = (*_FOR_PASSWORDS, *_FOR_TOKENS, *_FOR_CERTIFICATES)
"""All mechanisms, for each kind of credentials the strongest first."""


# The wire layer lies below the configuration and knows its credentials by their shape only.


@runtime_checkable
class _Password(Protocol):
    """The shape of a :class:`netclients.config.Login`."""

    @property
    def user(self) -> str: ...
    @property
    def password(self) -> str: ...


@runtime_checkable
class _Identity(Protocol):
    """The shape of a :class:`netclients.config.External`."""

    @property
    def identity(self) -> str: ...


def choose(
    offered: Iterable[str],
    credentials: _Password | Token | _Identity,
    *,
    secure: bool,
    bindings: Sequence[ChannelBinding] = (),
    allowed: Collection[str] | None = None,
    host: str = "",
    port: int = 0,
) -> Exchange:
    """Begin the strongest authentication that is offered, possible and allowed.

    ``credentials``: a :class:`~netclients.config.Login`, an :class:`~netclients.config.External`, or a Token.
    ``offered``: the server's mechanisms, in any case. ``secure``: the connection is encrypted; on others no mechanism
    is chosen that shows a password or a token. ``bindings``: the connection's, best first; without them no ``-PLUS``,
    and with doubtful ones only if ``allowed`` names it. ``allowed``: the caller's mechanisms; None: all. ``host`` and
    ``port`` of the server go into OAUTHBEARER.

    Raises:
        UnsupportedError: nothing fits; nothing was sent.
        ConfigurationError: ``allowed`` names none or unknown mechanisms; name or password can't be used in the
            mechanism chosen (SASLprep, NUL).
    """
    usable = [each for each in bindings if each.kind in BINDING_KINDS and not (each.doubtful and allowed is None)]
    wanted = frozenset(MECHANISMS) if allowed is None else _check_allowed(allowed)
    possible = [
        name
        for name in _candidates(credentials)
        if name in wanted
        and (secure or name not in _READABLE)
        and (usable or name not in _BOUND)
        and (name != "CRAM-MD5" or has_md5())
    ]
    names = {name.upper(): None for name in offered}
    for name in possible:
        if name in names:
            binding = usable[0] if usable and (name in _BOUND or not _offers_binding(names)) else None
            return _begin(name, credentials, binding, host, port)
    raise UnsupportedError(_explain(names, possible, secure=secure))


def _candidates(credentials: object) -> tuple[str, ...]:
    if isinstance(credentials, Token):
        return _FOR_TOKENS
    if isinstance(credentials, _Password):
        return _FOR_PASSWORDS
    if isinstance(credentials, _Identity):
        return _FOR_CERTIFICATES
    raise ConfigurationError(f"{type(credentials).__name__} is nothing to log in with here")


def _check_allowed(allowed: Collection[str]) -> frozenset[str]:
    if isinstance(allowed, str):
        raise ConfigurationError("SASL mechanisms are given as a list of names")
    names = frozenset(name.upper() for name in allowed)
    if unknown := sorted(names.difference(MECHANISMS)):
        raise ConfigurationError(
            f"unknown SASL mechanism {printable(', '.join(unknown))}; known: {', '.join(MECHANISMS)}"
        )
    if not names:
        raise ConfigurationError("no SASL mechanism is allowed")
    return names


def _offers_binding(offered: Iterable[str]) -> bool:
    return any(name.startswith("SCRAM-") and name.endswith("-PLUS") for name in offered)


def _begin(
    name: str, credentials: _Password | Token | _Identity, binding: ChannelBinding | None, host: str, port: int
) -> Exchange:
    if isinstance(credentials, Token):
        return OAuthBearer(credentials, host, port) if name == "OAUTHBEARER" else XOAuth2(credentials)
    if isinstance(credentials, _Password):
        if name.startswith("SCRAM-"):
            return Scram(name, credentials.user, credentials.password, binding)
        simple = CramMD5 if name == "CRAM-MD5" else Plain if name == "PLAIN" else LoginPrompts
        return simple(credentials.user, credentials.password)
    return External(credentials.identity)


def _explain(offered: Iterable[str], possible: Sequence[str], *, secure: bool) -> str:
    offer = printable(", ".join(offered)) or "none"
    able = ", ".join(possible) or "none"
    text = f"no way to log in: of SASL mechanisms, the server offers {offer}; possible here: {able}"
    return text if secure else f"{text} (the connection is not encrypted: no password or token is shown on it)"
