"""TLS on every server that has it: both modes, both versions, sessions that must be reused, and what is refused."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netclients import (
    ConfigurationError,
    FTPClient,
    Login,
    PoolLimits,
    ProtocolError,
    TLSError,
    UnsupportedError,
)
from netclients.testing import FaultProxy, FTPServer, ScriptedServer
from netclients.testing import Reply as Answer
from netclients.testing.certificates import server_context
from tests.servers import FTPTarget, RealServer

pytestmark = pytest.mark.anyio

MakeClient = Callable[..., FTPClient]
Embedded = Callable[..., FTPServer]
KeptServers = Callable[..., RealServer]

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
BODY = (bytes(range(251)) * 4_000)[:1_000_003]


def context_for(server: FTPTarget, version: str) -> ssl.SSLContext:
    return server.ssl_context(VERSIONS[version])


async def everything(client: FTPClient, server: FTPTarget, tmp_path: Path) -> None:
    server.put("f", BODY)
    done = await client.download("f", tmp_path / "out", verify="strict")
    assert done.verified
    assert (tmp_path / "out").read_bytes() == BODY
    got = bytearray()
    await client.download("f", sink=got.extend)
    assert got == BODY
    await client.upload(BODY, "up")
    assert (server.root / "up").read_bytes() == BODY
    await client.upload(b"", "empty", atomic=False)
    assert await client.read_bytes("empty") == b""
    async with client.scandir() as entries:
        assert {entry.name async for entry in entries} == {"f", "up", "empty"}
    async with client.open("f", offset=5) as file:
        assert await file.read(5) == BODY[5:10]
    assert await client.read_bytes("f") == BODY


@pytest.mark.parametrize("version", VERSIONS)
async def test_explicit(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path, version: str) -> None:
    async with ftp(tls="starttls", ssl_context=context_for(ftp_server, version)) as client:
        await everything(client, ftp_server, tmp_path)
        async with client.connection() as connection:
            assert connection.private_data
            assert await connection.pwd()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["vsftpd", "proftpd"])  # Pure-FTPd has no implicit TLS
async def test_implicit(
    kept_servers: KeptServers, client_of: MakeClient, tmp_path: Path, name: str, version: str
) -> None:
    server = kept_servers(name, MODE="implicit")
    async with client_of(server, ssl_context=context_for(server, version)) as client:
        await everything(client, server, tmp_path)


async def test_implicit_embedded(embedded: Embedded, tmp_path: Path) -> None:
    server = embedded(tls="implicit", require_session_reuse=True)
    (server.root / "f").write_bytes(BODY)
    assert server.url.startswith("ftps://")
    async with FTPClient(server.url, ssl_context=server.client_context()) as client:
        assert await client.read_bytes("f") == BODY
        await client.upload(BODY, "up")
    assert (server.root / "up").read_bytes() == BODY


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["vsftpd", "proftpd", "pureftpd"])
async def test_servers_that_force_tls(
    kept_servers: KeptServers, client_of: MakeClient, tmp_path: Path, name: str, version: str
) -> None:
    server = kept_servers(name, MODE="force", TLS_VERSION=version)
    async with client_of(server) as client:
        await everything(client, server, tmp_path)


@pytest.mark.parametrize("version", VERSIONS)
async def test_200_transfers_on_one_connection(
    ftp_server: FTPTarget, ftp: MakeClient, recorder: Any, version: str
) -> None:
    bodies = {f"f{number}": bytes([number]) * (number * 997 % 20_000) for number in range(20)}
    for name, body in bodies.items():
        ftp_server.put(name, body)
    context = context_for(ftp_server, version)
    limits = PoolLimits(max_connections=1)
    async with ftp(tls="starttls", ssl_context=context, limits=limits, events=recorder) as client:
        for number in range(200):
            name = f"f{number % 20}"
            if number % 4 == 3:
                await client.upload(bodies[name], "up", atomic=False)
                assert (ftp_server.root / "up").read_bytes() == bodies[name]
            else:
                assert await client.read_bytes(name) == bodies[name]
        assert client.stats.opened == 1
    assert len(recorder.named("bytes_moved")) == 200


@pytest.mark.parametrize("version", VERSIONS)
async def test_8_connections_at_once(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path, version: str) -> None:
    names = [f"f{number}" for number in range(40)]
    for number, name in enumerate(names):
        ftp_server.put(name, bytes([number]) * 50_000)
    async with ftp(tls="starttls", ssl_context=context_for(ftp_server, version)) as client:
        async with client.download_many(names, tmp_path / "out", concurrency=8) as items:
            async for item in items:
                item.raise_for_error()
        assert client.stats.opened <= 8
    for number, name in enumerate(names):
        assert (tmp_path / "out" / name).read_bytes() == bytes([number]) * 50_000


async def test_sessions_are_reused(embedded: Embedded) -> None:
    server = embedded(tls="explicit", require_session_reuse=True)
    (server.root / "f").write_bytes(BODY)
    async with FTPClient(server.url, ssl_context=server.client_context()) as client:
        for _ in range(5):
            assert await client.read_bytes("f") == BODY
    assert server.stats.sessions_reused == 5


# What is refused, and what the server has not seen then


def logged(server: RealServer) -> str:
    assert server.command_log is not None
    return server.command_log.read_text(errors="replace") if server.command_log.exists() else ""


@pytest.mark.parametrize("name", ["vsftpd", "proftpd"])  # the two that can log what they are sent
async def test_a_wrong_certificate(kept_servers: KeptServers, name: str, caplog: pytest.LogCaptureFixture) -> None:
    server = kept_servers(name, LOG_PROTOCOL="yes")
    before = logged(server)
    caplog.set_level("DEBUG")
    with FaultProxy((server.host, server.port), host="::1") as proxy:
        # An authority that nobody knows, and an address that the certificate does not name.
        right = server.url(tls="starttls")
        other = right.replace(f"{server.host}:{server.port}", f"[::1]:{proxy.port}")
        for url, context in ((right, None), (other, server.ssl_context())):
            async with FTPClient(url, ssl_context=context) as client:
                with pytest.raises(TLSError, match="certificate"):
                    await client.read_bytes("f")
                assert client.stats.open == client.stats.in_use == 0
        assert proxy.report.control == 1
    new = logged(server).removeprefix(before)
    assert "USER" not in new
    assert "PASS" not in new
    async with FTPClient(right, ssl_context=server.ssl_context()) as client:
        await client.exists("f")
    # The log would have told.
    assert "USER" in logged(server).removeprefix(before)
    assert server.password not in caplog.text


@pytest.mark.parametrize("tls", ["explicit", "implicit"])
async def test_a_certificate_for_another_name(embedded: Embedded, tls: str) -> None:
    server = embedded(tls=tls, ssl_context=server_context("ftp.example.org"))
    async with FTPClient(server.url, ssl_context=server.client_context()) as client:
        with pytest.raises(TLSError, match="certificate"):
            await client.read_bytes("f")
    assert server.stats.commands.keys() <= {"AUTH"}
    # Whoever asks for it in so many words gets it.
    unchecked = server.client_context()
    unchecked.check_hostname = False
    (server.root / "f").write_bytes(b"x")
    async with FTPClient(server.url, ssl_context=unchecked) as client:
        assert await client.read_bytes("f") == b"x"


@pytest.mark.parametrize("text", ["500 What?", "502 No.", "530 No.", "534 Policy.", "504 No TLS."])
async def test_auth_tls_refused(embedded: Embedded, text: str) -> None:
    server = embedded(tls="explicit", faults=[Answer("AUTH", text=text)])
    async with FTPClient(server.url, ssl_context=server.client_context()) as client:
        with pytest.raises(UnsupportedError, match="TLS"):
            await client.read_bytes("f")
    assert server.stats.commands == {"AUTH": 1}
    assert server.stats.logins == 0


async def test_a_server_without_tls(embedded: Embedded) -> None:
    server = embedded()
    for url, options in (
        (server.url, {}),  # ftp:// with credentials
        (server.url.replace("ftp://", "ftpes://"), {}),
        (f"ftp://{server.host}:{server.port}", {"auth": ("alice", "alicepw")}),
        (f"ftp://{server.host}:{server.port}", {"auth": Login("alice", "alicepw")}),
        (f"ftp://{server.host}:{server.port}", {"ssl_context": ssl.create_default_context()}),
        (f"{server.url}/?tls=starttls", {}),
    ):
        async with FTPClient(url, **options) as client:  # type: ignore[arg-type]
            with pytest.raises(UnsupportedError, match="TLS"):
                await client.read_bytes("f")
    assert server.stats.commands.keys() == {"AUTH"}


@pytest.mark.parametrize("how", ["argument", "query", "ftpes argument"])
async def test_without_tls_when_asked_for(embedded: Embedded, how: str) -> None:
    server = embedded(tls="explicit")
    (server.root / "f").write_bytes(b"x")
    url = server.url if how == "ftpes argument" else server.url.replace("ftpes://", "ftp://")
    client = FTPClient(f"{url}/?tls=none") if how == "query" else FTPClient(url, tls="none")
    async with client:
        assert await client.read_bytes("f") == b"x"
    assert "AUTH" not in server.stats.commands


async def test_anonymous_in_clear_needs_no_words(embedded: Embedded) -> None:
    server = embedded(users=None)
    (server.root / "f").write_bytes(b"x")
    async with FTPClient(f"ftp://{server.host}:{server.port}") as client:
        assert await client.read_bytes("f") == b"x"
    assert "AUTH" not in server.stats.commands


@pytest.mark.parametrize("verb", ["PROT", "PBSZ"])
async def test_prot_refused(embedded: Embedded, verb: str) -> None:
    server = embedded(tls="explicit", faults=[Answer(verb, text="536 No protection here.")])
    (server.root / "f").write_bytes(b"x")
    async with FTPClient(server.url, ssl_context=server.client_context()) as client:
        if verb == "PROT":
            with pytest.raises(TLSError, match="PROT"):
                await client.read_bytes("f")
            assert server.stats.data_connections == 0
        else:
            assert await client.read_bytes("f") == b"x"


async def test_words_in_clear_behind_the_answer_to_auth() -> None:
    script = """
        S: 220 Hi
        C: AUTH TLS
        S: 234 Go on\\r\\n230 You are logged in.
        C-close
    """
    with ScriptedServer(script, ignore_rest=True) as server:
        async with FTPClient(f"ftp://a:b@{server.host}:{server.port}") as client:
            with pytest.raises(ProtocolError):
                await client.read_bytes("f")


def test_bad_modes() -> None:
    for url, options in (
        ("ftp://h", {"tls": "ssl"}),
        ("ftp://h/?tls=maybe", {}),
        ("ftp://h", {"tls": "opportunistic"}),
    ):
        with pytest.raises(ConfigurationError):
            FTPClient(url, **options)  # type: ignore[arg-type]
