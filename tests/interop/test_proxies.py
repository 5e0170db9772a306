"""FTPClient through SOCKS5 and HTTP CONNECT proxies: control and passive data connections, plain and TLS."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import pytest

from netclients import ConfigurationError, ConnectError, FTPClient, RetryPolicy, Timeouts
from tests.interop.proxy_servers import ConnectProxy, Proxy, Socks5Proxy
from tests.servers import FTPTarget

pytestmark = pytest.mark.anyio

ONCE = RetryPolicy(attempts=1)
SOON = Timeouts(reply=10, stall=10)
CONTENT = os.urandom(3_000_000)


@pytest.fixture(params=[Socks5Proxy, ConnectProxy])
def proxy(request: pytest.FixtureRequest) -> Iterator[Proxy]:
    with request.param().in_thread() as running:
        yield running


@pytest.fixture(params=[Socks5Proxy, ConnectProxy])
def guarded_proxy(request: pytest.FixtureRequest) -> Iterator[Proxy]:
    with request.param("gate", "open sesame").in_thread() as running:
        yield running


def client(target: FTPTarget, proxy_url: str, tls: str) -> FTPClient:
    context = None if tls == "none" else target.ssl_context()
    return FTPClient(target.url(tls=tls), ssl_context=context, proxy=proxy_url, retry=ONCE, timeouts=SOON)


@pytest.mark.parametrize("tls", ["none", "starttls"])
async def test_data_comes_through_the_proxy(ftp_server: FTPTarget, proxy: Proxy, tls: str) -> None:
    ftp_server.put("big.bin", CONTENT)
    async with client(ftp_server, proxy.url(), tls) as ftp:
        assert await ftp.read_bytes("big.bin") == CONTENT
        async with ftp.scandir() as entries:
            assert [entry.name async for entry in entries] == ["big.bin"]
        await ftp.upload(CONTENT, "copy.bin")
        assert await ftp.read_bytes("copy.bin") == CONTENT
    # One control connection, and a data connection for each of four transfers at the least.
    assert proxy.targets[0] == (ftp_server.host, ftp_server.port)
    assert proxy.targets.count((ftp_server.host, ftp_server.port)) == 1
    assert len(proxy.targets) >= 5
    assert {host for host, _ in proxy.targets} == {ftp_server.host}


async def test_a_greeting_in_one_piece_with_the_proxys_agreement(embedded_ftp: FTPTarget, proxy: Proxy) -> None:
    proxy.eager = True
    embedded_ftp.put("a", b"hello")
    async with client(embedded_ftp, proxy.url(), "none") as ftp:
        assert await ftp.read_bytes("a") == b"hello"


async def test_the_right_password_passes(embedded_ftp: FTPTarget, guarded_proxy: Proxy) -> None:
    embedded_ftp.put("a", b"hello")
    async with client(embedded_ftp, guarded_proxy.url("gate", "open%20sesame"), "none") as ftp:
        assert await ftp.read_bytes("a") == b"hello"
    assert guarded_proxy.refused == 0


@pytest.mark.parametrize("account", [(), ("gate", "wrong")], ids=["none", "wrong"])
async def test_the_wrong_password_does_not(
    embedded_ftp: FTPTarget, guarded_proxy: Proxy, account: tuple[str, ...]
) -> None:
    async with client(embedded_ftp, guarded_proxy.url(*account), "none") as ftp:
        with pytest.raises(ConnectError):
            await ftp.read_bytes("a")
    assert guarded_proxy.refused == 1
    assert guarded_proxy.targets == []


async def test_a_proxy_that_is_not_there(embedded_ftp: FTPTarget) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"socks5://127.0.0.1:{unused.getsockname()[1]}"
        async with client(embedded_ftp, url, "none") as ftp:
            with pytest.raises(ConnectError, match="proxy"):
                await ftp.read_bytes("a")


@pytest.mark.parametrize("proxy_url", ["gopher://127.0.0.1:1", "socks5://", "nonsense"])
async def test_a_proxy_url_is_checked_at_once(proxy_url: str) -> None:
    with pytest.raises(ConfigurationError):
        FTPClient("ftp://127.0.0.1", proxy=proxy_url)


async def test_active_mode_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="active"):
        FTPClient("ftp://127.0.0.1", proxy="socks5://127.0.0.1:1", active=True)
