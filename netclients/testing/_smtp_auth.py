"""AUTH of the embedded SMTP server: how the exchanges of ``_auth`` travel over SMTP (RFC 4954)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ._auth import AuthCancelledError, offered_mechanisms, run_mechanism
from ._smtp_session import Rules, Session

Interfere = Callable[[Session, str, str], Awaitable[bool]]


async def authenticate(rules: Rules, session: Session, argument: str, interfere: Interfere) -> bool:
    """Run one exchange, with its replies, and say whether it has succeeded."""
    name, _, initial = argument.strip().partition(" ")
    name = name.upper()
    if name not in offered_mechanisms(rules, session.secure):
        session.reply(504, "5.5.4", "Unrecognized authentication type.")
        return False

    async def ask(challenge: str) -> str:
        session.send_raw(f"334 {challenge}")
        line = (await session.read_line()).decode("utf-8", "surrogateescape")
        if not line.endswith("\n"):
            raise ConnectionResetError("the peer left amid AUTH")
        text = line.rstrip("\r\n")
        if not await interfere(session, "AUTH-RESPONSE", text):
            raise AuthCancelledError
        if text == "*":
            session.reply(501, "5.7.0", "Authentication cancelled.")
            raise AuthCancelledError
        return text

    try:
        user = await run_mechanism(rules, name, initial or None, ask, session.channel.tls)
    except AuthCancelledError:
        return False
    except ValueError:
        session.reply(501, "5.5.2", "Can't make sense of that.")
        return False
    if user is None:
        session.reply(535, "5.7.8", "Authentication credentials invalid.")
        return False
    session.authenticated = user
    session.reply(235, "2.7.0", "Authentication successful.")
    return True
