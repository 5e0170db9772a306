"""What is secret never crosses in clear: stripping, injection, refusals, broken handshakes."""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path

import pytest

from netclients import FTPClient, NetClientError, PhaseTimeout, ProtocolError, Timeouts, TLSError, UnsupportedError
from netclients.testing import Cut, FaultProxy, Flow, Inject, Plan, certificates
from tests.faults.harness import ONCE, assert_at_rest, behind, client_of
from tests.faults.hostile import Answer, HostileServer, Session
from tests.faults.report import POINTS
from tests.servers import FTPTarget

pytestmark = [pytest.mark.anyio]

SHORT = Timeouts(connect=5, handshake=0.3, reply=0.3, stall=0.3, pool=5, complete=0.3)


def secured(server: HostileServer, context: ssl.SSLContext | None = None) -> FTPClient:
    url = server.url.replace("?tls=none", "")
    return FTPClient(url, retry=ONCE, timeouts=SHORT, ssl_context=context or certificates.client_context())


def start_tls(session: Session) -> None:
    session.say(b"234 go\r\n")
    session.sock = certificates.server_context().wrap_socket(session.sock, server_side=True)


def closing(session: Session) -> None:
    session.say(b"234 go\r\n")
    session.sock.shutdown(2)


def garbage(session: Session) -> None:
    session.say(b"234 go\r\n")
    session.sock.recv(100)
    session.say(b"220 nonsense instead of a handshake\r\n")
    session.hang()


STRIPPED: dict[str, Answer] = {
    "500": b"500 what\r\n",
    "502": b"502 no\r\n",
    "504": b"504 no\r\n",
    "530": b"530 log in first\r\n",
    "534": b"534 denied\r\n",
    "421": b"421 later\r\n",
    "431": b"431 later\r\n",
    "200": b"200 fine\r\n",
    "230": b"230 you are in\r\n",
    "331": b"331 password\r\n",
    "234 and plaintext behind": b"234 go\r\n230 you are in\r\n",
    "234 and half a line behind": b"234 go\r\n23",
    "234 in two lines": b"234-go\r\n234 on\r\n220 x\r\n",
    "the end": closing,
    "garbage": garbage,
    "silence": Session.hang,
    "silence behind 234": lambda session: (session.say(b"234 go\r\n"), session.hang()),
}


@pytest.mark.parametrize("what", STRIPPED)
async def test_no_user_name_without_tls(what: str) -> None:
    with HostileServer({"AUTH": STRIPPED[what]}) as server:
        async with secured(server) as client:
            with pytest.raises(NetClientError) as caught:
                await client.stat("f")
            assert_at_rest(client)
        assert [verb for verb in server.verbs() if verb in ("USER", "PASS", "ACCT")] == []
        assert not any("secret" in line for line in server.commands)
    if "behind" in what and "plaintext" in what:
        assert isinstance(caught.value, ProtocolError)
    if what == "silence behind 234":
        assert isinstance(caught.value, PhaseTimeout)
        assert caught.value.phase == "handshake"
    if what in ("500", "502"):
        assert isinstance(caught.value, UnsupportedError)
    POINTS["hostile: TLS"] += 1


@pytest.mark.parametrize(
    "said", [b"536 no\r\n", b"431 no\r\n", b"534 no\r\n", b"500 what\r\n", b"300 maybe\r\n"], ids=repr
)
async def test_refused_protection_is_an_error_before_any_data(said: bytes) -> None:
    with HostileServer({"AUTH": start_tls, "PBSZ": b"200 ok\r\n", "PROT": said}) as server:
        async with secured(server) as client:
            with pytest.raises(TLSError):
                await client.read_bytes("f")
            assert_at_rest(client)
        assert not {"EPSV", "PASV", "RETR"} & set(server.verbs())
        assert server.data_connections == 0


@pytest.mark.parametrize("what", ["plain data", "end", "reset", "silence"])
async def test_data_in_clear_is_never_accepted(what: str, tmp_path: Path) -> None:
    """PROT P was agreed to, and the data connection does something else."""

    def retr(session: Session) -> None:
        session.say(b"150 here\r\n")
        with session.connect_data() as data, contextlib.suppress(OSError):
            if what == "plain data":
                data.sendall(session.server.content)
            if what == "reset":
                data.recv(10)
            if what == "silence":
                session.hang()
        session.say(b"226 done\r\n")

    with HostileServer(
        {"AUTH": start_tls, "PBSZ": b"200 ok\r\n", "PROT": b"200 ok\r\n", "RETR": retr, "STOR": retr}
    ) as server:
        async with secured(server) as client:
            with pytest.raises(NetClientError):
                await client.download("f", tmp_path / "f")
            assert_at_rest(client)
            with pytest.raises(NetClientError):
                await client.upload(b"confidential", "f")
            assert_at_rest(client)
        assert b"confidential" not in server.received
    assert not (tmp_path / "f").exists()


async def test_unknown_authority_stops_before_the_password() -> None:
    with HostileServer({"AUTH": start_tls}) as server:
        async with secured(server, ssl.create_default_context()) as client:
            with pytest.raises(TLSError, match="certificate"):
                await client.stat("f")
        assert "USER" not in server.verbs()


async def test_plaintext_injected_behind_234_on_the_way(embedded_ftp: FTPTarget) -> None:
    plan = Plan(down=Flow(inject=(Inject(rb"234[^\n]*\n", b"230 logged in\r\n"),)))
    with FaultProxy((embedded_ftp.host, embedded_ftp.port), plan=plan) as proxy:
        client = client_of(behind(embedded_ftp, proxy), tls="starttls")
        with pytest.raises(ProtocolError):
            await client.stat("f")
        assert_at_rest(client)
        assert proxy.report.ran == {"down.inject": 1}
        await client.aclose()


async def test_a_truncated_tls_download_without_size_is_not_verified(tmp_path: Path) -> None:
    """No SIZE, and the data ends without a close alert: strict is an error, otherwise not verified."""

    def retr(session: Session) -> None:
        session.say(b"150 here\r\n")
        context = certificates.server_context()
        with session.connect_data() as raw, context.wrap_socket(raw, server_side=True) as data:
            data.sendall(session.server.content)  # and a FIN without a word
        session.say(b"226 done\r\n")

    answers: dict[str, Answer] = {"AUTH": start_tls, "PBSZ": b"200 ok\r\n", "PROT": b"200 ok\r\n", "RETR": retr}
    answers["SIZE"] = b"502 what\r\n"
    answers["MDTM"] = b"502 what\r\n"
    with HostileServer(answers) as server:
        async with secured(server) as client:
            try:
                done = await client.download("f", tmp_path / "f")
            except NetClientError:
                assert not (tmp_path / "f").exists()
            else:
                assert not done.verified
            with pytest.raises(NetClientError):
                await client.download("f", tmp_path / "g", verify="strict")
            assert not (tmp_path / "g").exists()
            assert_at_rest(client)


async def test_handshake_stalls(embedded_ftp: FTPTarget) -> None:
    plan = Plan(down=Flow(cut=Cut(rb"234[^\n]*\n", "stall")))
    with FaultProxy((embedded_ftp.host, embedded_ftp.port), plan=plan) as proxy:
        client = client_of(behind(embedded_ftp, proxy), tls="starttls", timeouts=SHORT)
        with pytest.raises(PhaseTimeout) as caught:
            await client.stat("f")
        assert caught.value.phase == "handshake"
        assert_at_rest(client)
        await client.aclose()
