"""Settings and connections for the tests of NNTP."""

from __future__ import annotations

from netclients import Timeouts
from netclients.nntp.connection import NNTPConnection
from netclients.nntp.login import connect
from netclients.nntp.settings import Settings
from netclients.settings import common_settings, endpoint_of

QUICK = Timeouts(connect=5, handshake=5, reply=0.5, stall=0.5, pool=5, complete=0.5)


def settings(
    url: str,
    *,
    pipelining: bool = True,
    window: int = 256,
    reader: bool = True,
    compress: bool = False,
    **options: object,
) -> Settings:
    """Settings as a reader of news would make them."""
    given = dict.fromkeys(("auth", "tls", "ssl_context", "timeouts", "bounds", "proxy", "events"), None) | options
    common = common_settings(endpoint_of(url, "the test", "nntp"), **given)  # type: ignore[arg-type]
    return Settings(**common, pipelining=pipelining, window=window, reader=reader, compress=compress)


async def connected(url: str, **options: object) -> NNTPConnection:
    return await connect(settings(url, **options))  # type: ignore[arg-type]


def news(name: object, group: str = "misc.test", body: bytes = b"body\r\n") -> bytes:
    """An article."""
    return (
        b"From: =?utf-8?q?J=C3=B6rg?= <me@example.test>\r\nNewsgroups: %s\r\nSubject: %s\r\n"
        b"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <%s@example.test>\r\n\r\n%s"
        % (group.encode(), str(name).encode(), str(name).encode(), body)
    )
