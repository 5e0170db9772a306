"""What makes no sense is refused before a socket is opened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from netclients import (
    Bounds,
    ConfigurationError,
    Endpoint,
    FTPClient,
    Item,
    Login,
    NetClientError,
    PoolLimits,
    ProtocolError,
    RetryPolicy,
    Stream,
    Timeouts,
)
from netclients.testing import FTPServer

Embedded = Callable[..., FTPServer]

URLS = {
    "": "scheme",
    "host": "scheme",
    "127.0.0.1:21": "scheme",
    "http://h": "http",
    "sftp://h": "sftp",
    "ftp://": "host",
    "ftp:///path": "host",
    "ftp://user:pw@": "host",
    "ftp://:21/": "host",
    "ftp://h:0": "port",
    "ftp://h:65536": "port|Port",
    "ftp://h:-1": "port|Port",
    "ftp://h:x": "port|Port",
    "ftp://:pw@h": "user",
    "ftp://h/a\nb": "control",
    "ftp://h/a%0Ab": "control",
    "ftp://h/a%00b": "control",
    "ftp://h%0d/": "control",
    "ftp://us%0Aer:pw@h": "control",
    "ftp://user:p%0D%0Aw@h": "control",
    "ftp://[::1": "URL",
    "ftp://h/?tls=maybe": "tls",
    "ftp://h/?x=1": "x",
    "ftp://ho st/": "space",
}


@pytest.mark.parametrize("url", URLS)
def test_urls(url: str) -> None:
    with pytest.raises(ConfigurationError, match=URLS[url]) as caught:
        FTPClient(url)
    assert isinstance(caught.value, ValueError)
    assert "pw" not in str(caught.value)


OPTIONS: list[dict[str, Any]] = [
    {"auth": Login},
    {"auth": "user"},
    {"auth": ("user",)},
    {"auth": ("user", "pw", "account", "more")},
    {"auth": ("user", None)},
    {"auth": ("us\ner", "pw")},
    {"auth": ("user", "p\r\nw")},
    {"auth": ("user", "p\0w")},
    {"auth": ("", "pw")},
    {"tls": "yes"},
    {"tls": True},
    {"encoding": "no-such"},
    {"limit_rate": 0},
    {"limit_rate": -1},
    {"limit_rate": "5"},
    {"limit_rate": b"5"},
    {"limit_rate": [5]},
    {"limit_rate": 5j},
    {"limit_rate": float("nan")},
    {"limit_rate": 10**400},
    {"proxy": "nonsense"},
    {"proxy": "ftp://h:1"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        FTPClient("ftp://h", **options)


VALUES: list[Callable[[], object]] = [
    lambda: Timeouts(connect=0),
    lambda: Timeouts(reply=-1),
    lambda: Timeouts(stall="x"),  # type: ignore[arg-type]
    lambda: Timeouts(stall=True),
    lambda: Timeouts(pool=float("nan")),
    lambda: PoolLimits(max_connections=0),
    lambda: PoolLimits(max_connections=-1),
    lambda: PoolLimits(max_connections=None),  # type: ignore[arg-type]
    lambda: PoolLimits(max_uses=0),
    lambda: RetryPolicy(attempts=0),
    lambda: RetryPolicy(total=-1),
    lambda: Bounds(line=0),
    lambda: Bounds(read=-5),
    lambda: Login(""),
    lambda: Login("a", "b\n"),
    lambda: Login("a", "b", "c\r"),
    lambda: Endpoint("gopher", "h", 1),
    lambda: Endpoint("ftp", "", 21),
    lambda: Endpoint("ftp", "h", 70_000),
    lambda: Endpoint("ftp", "h", 21, path="a\nb"),
    lambda: Endpoint("ftp", "h\r", 21),
]


@pytest.mark.parametrize("number", range(len(VALUES)))
def test_values(number: int) -> None:
    with pytest.raises(ConfigurationError):
        VALUES[number]()


def test_none_waits_for_ever() -> None:
    assert Timeouts(connect=None, pool=None).connect is None


def test_urls_that_are_fine() -> None:
    for url, path, login in (
        ("ftp://h", "", None),
        ("ftp://h/", "", None),
        ("FTP://h/a/b", "a/b", None),
        ("ftp://h/%2Fetc", "/etc", None),
        ("ftp://h/a%20b;type=i", "a b", None),
        ("ftp://u:p%40w@h/", "", Login("u", "p@w")),
        ("ftps://[::1]:990/x", "x", None),
        ("ftp://u@h", "", Login("u", "")),
    ):
        endpoint = Endpoint.parse(url)
        assert (endpoint.path, endpoint.login) == (path, login)
        assert FTPClient(endpoint).stats.opened == 0


async def drained(stream: Stream[Item]) -> None:
    async with stream as items:
        async for item in items:
            item.raise_for_error()


@pytest.mark.anyio
async def test_arguments_of_methods(embedded: Embedded, tmp_path: Any) -> None:
    server = embedded()
    async with FTPClient(server.url, tls="none") as client:
        calls: list[Callable[[], Any]] = [
            lambda: client.download("f", tmp_path / "x", segments=0),
            lambda: client.download("f", tmp_path / "x", verify="yes"),  # type: ignore[arg-type]
            lambda: client.download("f", tmp_path / "x", limit_rate=0),
            lambda: client.download("f", tmp_path / "x", limit_rate=-3),
            lambda: client.download("f", tmp_path / "x", limit_rate="5"),  # type: ignore[arg-type]
            lambda: client.download("f", tmp_path / "x", segments="a"),  # type: ignore[arg-type]
            lambda: client.download("f", tmp_path / "x", segments=1.5),  # type: ignore[arg-type]
            lambda: client.download("f", tmp_path / "\ud800"),
            lambda: client.download("\ud800", tmp_path / "x"),
            lambda: client.download("f", sink=print, limit_rate="5"),  # type: ignore[arg-type]
            lambda: client.upload(b"x", "f", limit_rate="5"),  # type: ignore[arg-type]
            lambda: client.upload(b"x", "\ud800"),
            lambda: drained(client.download_many(["f"], tmp_path, concurrency="x")),  # type: ignore[arg-type]
            lambda: drained(client.download_many(["f"], tmp_path, concurrency=1.5)),  # type: ignore[arg-type]
            lambda: drained(client.download_many(["f"], tmp_path, limit_rate="5")),  # type: ignore[arg-type]
            lambda: drained(client.download_many(["f"], tmp_path / "\ud800")),
            lambda: drained(client.upload_many(["f"], "d", concurrency=None)),  # type: ignore[arg-type]
            lambda: drained(client.upload_many(["f"], "d", limit_rate="5")),  # type: ignore[arg-type]
            lambda: drained(client.upload_many(["f"], tmp_path)),  # type: ignore[arg-type]
            lambda: client.open("f", offset="a").read(),  # type: ignore[arg-type]
            lambda: client.open("f", offset=1.5).read(),  # type: ignore[arg-type]
            lambda: client.open("f", offset=-1).read(),
            lambda: client.download("", tmp_path / "x"),
            lambda: client.download("f/", tmp_path / "x"),
            lambda: client.download(b"f", tmp_path / "x"),  # type: ignore[arg-type]
            lambda: client.download("f", ""),
            lambda: client.upload(b"x", "f", verify="strict"),  # type: ignore[arg-type]
            lambda: client.upload(b"x", "f", limit_rate=0),
            lambda: client.read_bytes(""),
            lambda: client.remove(""),
            lambda: client.rename("", "x"),
            lambda: client.rename("x", ""),
            lambda: client.stat(None),  # type: ignore[arg-type]
        ]
        wrong = []
        for number, call in enumerate(calls):
            try:
                await call()
            except ConfigurationError:
                continue
            except NetClientError as error:
                wrong.append((number, error))
        assert wrong == []
        assert client.stats.opened == 0
    assert server.stats.connections == 0


@pytest.mark.anyio
async def test_bounds_of_read(embedded: Embedded) -> None:
    server = embedded()
    (server.root / "f").write_bytes(b"x" * 1001)
    async with FTPClient(server.url, tls="none", bounds=Bounds(read=1000)) as client:
        with pytest.raises(ProtocolError, match="1000"):
            await client.read_bytes("f")
        assert client.stats.in_use == 0
        (server.root / "f").write_bytes(b"x" * 1000)
        assert await client.read_bytes("f") == b"x" * 1000
