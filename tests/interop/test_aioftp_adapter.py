"""aioftp's client, connected by this library, on real servers and through a SOCKS proxy."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aioftp
import pytest
import trio

from netclients import (
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    ConnectionLost,
    Events,
    ProtocolError,
    RetryPolicy,
    Timeouts,
    TLSError,
    TooManyConnections,
    TruncatedTransfer,
    UnsupportedError,
)
from netclients.interop._asyncio_streams import StreamPair
from netclients.interop.aioftp import ConnectedClient, aioftp_client
from netclients.testing import CutData, FTPServer
from tests.fix_servers import StartServer
from tests.interop.proxy_servers import Proxy, Socks5Proxy
from tests.servers import FTPTarget

pytestmark = pytest.mark.asyncio

CONTENT = os.urandom(2_500_000)
ONCE = RetryPolicy(attempts=1)
QUICK = RetryPolicy(attempts=4, initial=0.01, maximum=0.05)
SOON = Timeouts(reply=10, stall=10)


@pytest.fixture
def socks() -> Iterator[Proxy]:
    with Socks5Proxy("gate", "sesame").in_thread() as proxy:
        yield proxy


async def use_everything(client: aioftp.Client, target: FTPTarget, tmp_path: Path) -> None:
    """What code that has an aioftp client does with it."""
    target.put("in/big.bin", CONTENT)
    target.put("in/empty", b"")
    await client.download("in/big.bin", tmp_path / "big.bin", write_into=True)
    assert (tmp_path / "big.bin").read_bytes() == CONTENT
    await client.download("in/empty", tmp_path / "empty", write_into=True)
    assert (tmp_path / "empty").read_bytes() == b""
    async with client.download_stream("in/big.bin", offset=2_000_000) as stream:
        assert await stream.read(1000) == CONTENT[2_000_000:2_001_000]
        rest = b"".join([block async for block in stream.iter_by_block()])
    assert rest == CONTENT[2_001_000:]
    assert sorted(str(path) for path, _ in await client.list("in")) == ["in/big.bin", "in/empty"]
    await client.upload(tmp_path / "big.bin", "up.bin", write_into=True)
    assert (target.root / "up.bin").read_bytes() == CONTENT
    async with client.append_stream("up.bin") as stream:
        await stream.write(b"tail")
    assert (target.root / "up.bin").read_bytes() == CONTENT + b"tail"
    await client.upload(tmp_path / "empty", "up.empty", write_into=True)
    assert (target.root / "up.empty").read_bytes() == b""
    await client.rename("up.bin", "moved.bin")
    assert await client.exists("moved.bin")
    await client.remove_file("moved.bin")
    assert not (target.root / "moved.bin").exists()


@pytest.mark.parametrize("tls", ["none", "starttls"])
async def test_every_kind_of_transfer(ftp_server: FTPTarget, tls: str, tmp_path: Path) -> None:
    context = None if tls == "none" else ftp_server.ssl_context()
    url = ftp_server.url(tls=tls)
    async with aioftp_client(url, ssl_context=context, timeouts=SOON, retry=ONCE) as client:
        assert isinstance(client, aioftp.Client)
        await use_everything(client, ftp_server, tmp_path)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("name", ["vsftpd", "proftpd"])
async def test_session_reuse_may_be_required(
    start_server: StartServer, name: str, version: ssl.TLSVersion, tmp_path: Path
) -> None:
    server = start_server(name, MODE="force", TLS_VERSION="1.2" if version is ssl.TLSVersion.TLSv1_2 else "1.3")
    context = server.ssl_context(version)
    async with aioftp_client(server.url(), ssl_context=context, timeouts=SOON, retry=ONCE) as client:
        for _ in range(5):
            await use_everything(client, server, tmp_path)


@pytest.mark.parametrize("name", ["vsftpd", "proftpd"])
async def test_implicit_tls(start_server: StartServer, name: str, tmp_path: Path) -> None:
    server = start_server(name, MODE="implicit")
    async with aioftp_client(server.url(), ssl_context=server.ssl_context(), timeouts=SOON, retry=ONCE) as client:
        await use_everything(client, server, tmp_path)
        with pytest.raises(RuntimeError):
            await client.upgrade_to_tls()


@pytest.mark.parametrize("tls", ["none", "starttls"])
async def test_through_a_socks_proxy(real_ftp: FTPTarget, socks: Proxy, tls: str, tmp_path: Path) -> None:
    async with aioftp_client(
        real_ftp.url(tls=tls),
        ssl_context=None if tls == "none" else real_ftp.ssl_context(),
        proxy=socks.url("gate", "sesame"),
        timeouts=SOON,
        retry=ONCE,
    ) as client:
        await use_everything(client, real_ftp, tmp_path)
    assert socks.targets[0] == (real_ftp.host, real_ftp.port)
    # One control connection, and one for each transfer; listings only where there is no MLST.
    assert len(socks.targets) >= 8
    assert socks.targets.count((real_ftp.host, real_ftp.port)) == 1


async def test_the_wrong_proxy_password(embedded_ftp: FTPTarget, socks: Proxy) -> None:
    with pytest.raises(ConnectError, match="proxy"):
        async with aioftp_client(embedded_ftp.url(), proxy=socks.url("gate", "shut"), retry=ONCE):
            raise AssertionError


# Login


async def test_the_path_of_the_url_is_where_it_stands(embedded_ftp: FTPTarget) -> None:
    embedded_ftp.put("a dir/file", b"x")
    async with aioftp_client(embedded_ftp.url("a dir")) as client:
        assert str(await client.get_current_directory()) == "/a dir"


async def test_a_wrong_password_is_tried_once(embedded_ftp: FTPTarget) -> None:
    with pytest.raises(AuthenticationError) as caught:
        async with aioftp_client(embedded_ftp.url(), auth=("alice", "wrong-secret"), retry=QUICK):
            raise AssertionError
    assert "wrong-secret" not in str(caught.value)


async def test_no_credentials_without_tls(tmp_path: Path) -> None:
    with FTPServer(tmp_path, users={"u": "pw"}) as server:
        with pytest.raises(UnsupportedError, match="TLS"):
            async with aioftp_client(server.url, retry=ONCE):
                raise AssertionError
        assert server.stats.commands.get("USER", 0) == 0


async def test_the_certificate_is_checked(embedded_ftp: FTPTarget) -> None:
    with pytest.raises(TLSError, match="certificate"):
        async with aioftp_client(embedded_ftp.url(tls="starttls"), retry=ONCE):
            raise AssertionError


async def test_connecting_is_repeated_while_the_server_is_full(tmp_path: Path) -> None:
    class Release(Events):
        seen: list[Exception] = []  # noqa: RUF012 - one test, one list

        def retry(self, operation: str, attempt: int, delay: float, error: Exception) -> None:
            self.seen.append(error)
            server.set_limits()

    events = Release()
    with FTPServer(tmp_path, max_connections=0) as server:
        async with aioftp_client(server.url, retry=QUICK, events=events) as client:
            assert str(await client.get_current_directory()) == "/"
    assert [type(error) for error in events.seen] == [TooManyConnections]


async def test_connection_refused_is_repeated_and_then_raised() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectError):
            async with aioftp_client(f"ftp://127.0.0.1:{unused.getsockname()[1]}", retry=QUICK):
                raise AssertionError


@asynccontextmanager
async def server_that(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """A server that talks so to each client; yields its address."""
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        finally:
            writer.transport.abort()
            ended.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await ended.wait()


@pytest.mark.parametrize(
    ("greeting", "error"),
    [
        (b"\xff\xfe\xfa\r\n", ProtocolError),
        (b"220 \xff\r\n", ProtocolError),
        (b"220-" + b"x" * 70_000, ProtocolError),
        (b"220-no\r\n" * 200_000, ProtocolError),
        (b"", ConnectionLost),
    ],
    ids=["no text", "bad text", "long line", "long reply", "nothing"],
)
async def test_nonsense_for_a_greeting(greeting: bytes, error: type[Exception]) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        if greeting:
            await reader.read()

    async with server_that(talk) as address:
        with pytest.raises(error):
            async with aioftp_client(f"ftp://{address}", retry=ONCE, timeouts=SOON):
                raise AssertionError


async def test_plaintext_behind_the_agreement_to_tls() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        await reader.readline()
        writer.write(b"234 go on\r\n230 you are in\r\n")
        await reader.read()

    async with server_that(talk) as address:
        with pytest.raises(ProtocolError, match="in clear"):
            async with aioftp_client(f"ftpes://{address}", retry=ONCE, timeouts=SOON):
                raise AssertionError


async def test_upgrade_to_tls_on_demand(embedded_ftp: FTPTarget, tmp_path: Path) -> None:
    async with aioftp_client(embedded_ftp.url(), timeouts=SOON) as client:
        await client.upgrade_to_tls(embedded_ftp.ssl_context())
        await client.login(embedded_ftp.user, embedded_ftp.password)
        await use_everything(client, embedded_ftp, tmp_path)
        with pytest.raises(RuntimeError, match="already"):
            await client.upgrade_to_tls()


async def test_a_client_can_be_connected_again(embedded_ftp: FTPTarget) -> None:
    async with aioftp_client(embedded_ftp.url(), timeouts=SOON) as client:
        await client.quit()
        await client.connect(embedded_ftp.host, embedded_ftp.port)
        await client.login(embedded_ftp.user, embedded_ftp.password)
        assert str(await client.get_current_directory()) == "/"


async def test_data_handshakes_that_the_server_breaks_off(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(CONTENT)
    with FTPServer(tmp_path, tls="explicit", require_session_reuse=True) as server:
        context = server.client_context()
        async with aioftp_client(server.url, ssl_context=context, timeouts=SOON) as client:
            # As if the control connection had no session to offer.
            client._control = WithoutSession(client._control)  # type: ignore[assignment,arg-type]
            with pytest.raises(aioftp.StatusCodeError, match="522"):
                await client.download("f", tmp_path / "out", write_into=True)
            await client.command("NOOP", "2xx")


class WithoutSession:
    """A control connection that hides its TLS session."""

    session = None

    def __init__(self, pair: StreamPair) -> None:
        self.__dict__["_pair"] = pair

    def __getattr__(self, name: str) -> object:
        return getattr(self._pair, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._pair, name, value)


# Transfers that fail


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("how", ["fin", "reset"])
async def test_a_tls_download_that_is_cut_is_an_error(version: ssl.TLSVersion, how: Any, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(CONTENT)
    # The server does not know: its reply is that of a success.
    cut = CutData("RETR", after=1_000_000, how=how, reply="226 Done.")
    with FTPServer(tmp_path, tls="explicit", faults=[cut]) as server:
        context = server.client_context()
        context.maximum_version = version
        async with aioftp_client(server.url, ssl_context=context, timeouts=SOON) as client:
            with pytest.raises(TruncatedTransfer if how == "fin" else ConnectionLost):
                await client.download("f", tmp_path / "out", write_into=True)
            await client.command("NOOP", "2xx")


@pytest.mark.parametrize("how", ["fin", "reset"])
async def test_the_servers_word_on_a_broken_transfer(how: Any, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(CONTENT)
    (tmp_path / "big").write_bytes(CONTENT * 4)
    faults = [CutData(verb, after=1_000_000, how=how, reply="451 Disk error.") for verb in ("RETR", "STOR")]
    with FTPServer(tmp_path, faults=faults) as server:
        async with aioftp_client(server.url, timeouts=SOON) as client:
            for work in (
                client.download("f", tmp_path / "out", write_into=True),
                client.upload(tmp_path / "big", "up", write_into=True),
            ):
                with pytest.raises(aioftp.StatusCodeError, match="451"):
                    await work
                await client.command("NOOP", "2xx")


async def test_the_servers_refusal_is_aioftps_error(ftp_server: FTPTarget) -> None:
    async with aioftp_client(ftp_server.url(), timeouts=SOON) as client:
        with pytest.raises(aioftp.StatusCodeError) as caught:
            await client.download("nothing/here")
        assert caught.value.received_codes[-1].matches("550")
        await client.command("NOOP", "2xx")


async def test_a_silent_data_connection_ends_by_the_stall_timeout(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(CONTENT)
    with FTPServer(tmp_path, faults=[CutData("RETR", after=1000, how="stall")]) as server, pytest.raises(TimeoutError):
        async with aioftp_client(server.url, timeouts=Timeouts(stall=0.2)) as client:
            await client.download("f", tmp_path / "out", write_into=True)


async def test_a_client_that_lost_its_server_leaves_quietly(tmp_path: Path) -> None:
    with FTPServer(tmp_path) as server:
        async with aioftp_client(server.url, timeouts=SOON) as client:
            await client.get_current_directory()
            server.sever()


# Arguments


async def test_arguments_are_checked() -> None:
    with pytest.raises(ConfigurationError, match="siosocks"):
        async with aioftp_client("ftp://127.0.0.1", siosocks=1):  # type: ignore[call-arg]
            raise AssertionError
    with pytest.raises(ConfigurationError, match="scheme"):
        async with aioftp_client("http://127.0.0.1"):
            raise AssertionError


async def test_options_reach_aioftp(embedded_ftp: FTPTarget) -> None:
    async with aioftp_client(embedded_ftp.url(), encoding="latin-1", read_speed_limit=10**9) as client:
        assert client.encoding == "latin-1"
        assert client.throttle.read.limit == 10**9
        assert isinstance(client, ConnectedClient)


async def test_not_on_trio() -> None:
    async def use() -> None:
        async with aioftp_client("ftp://127.0.0.1"):
            raise AssertionError

    with pytest.raises(ConfigurationError, match="asyncio"):
        await asyncio.to_thread(trio.run, use)
