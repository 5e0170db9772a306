"""Settings, connections and maildrops for the tests of POP3."""

from __future__ import annotations

from netclients import RetryPolicy, Timeouts
from netclients.pop3.connection import POP3Connection
from netclients.pop3.login import connect
from netclients.pop3.maildrop import Maildrop
from netclients.pop3.settings import Settings
from netclients.settings import common_settings, endpoint_of

AGAIN = RetryPolicy(attempts=3, initial=0, maximum=0)
ONCE = RetryPolicy(attempts=1)
QUICK = Timeouts(connect=5, handshake=5, reply=0.5, stall=0.5, pool=5, complete=0.5)


def settings(url: str, *, pipelining: bool | None = None, window: int = 256, **options: object) -> Settings:
    """Settings as a reader of mail would make them."""
    given = dict.fromkeys(("auth", "tls", "ssl_context", "timeouts", "bounds", "proxy", "events"), None) | options
    common = common_settings(endpoint_of(url, "the test", "pop3"), **given)  # type: ignore[arg-type]
    return Settings(**common, pipelining=pipelining, window=window)


async def connected(url: str, **options: object) -> POP3Connection:
    return await connect(settings(url, **options))  # type: ignore[arg-type]


def maildrop(url: str, *, retry: RetryPolicy = AGAIN, **options: object) -> Maildrop:
    told = settings(url, **options)  # type: ignore[arg-type]
    return Maildrop(lambda: connect(told), told, retry)


def letter(name: object, size: int = 0) -> bytes:
    """A message with dots where they matter."""
    return b"Subject: %s\r\n\r\n.\r\n..two\r\n%s\r\n" % (str(name).encode(), b"x" * size)
