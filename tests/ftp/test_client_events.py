"""Hooks and logs: what is told, that it never has a secret in it, and that it breaks nothing."""

from __future__ import annotations

import gc
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netclients import (
    AuthenticationError,
    Endpoint,
    Events,
    FTPClient,
    Login,
    NetClientError,
    PoolLimits,
    RemoteFileNotFound,
    RetryPolicy,
    TransientReplyError,
)
from netclients.testing import FTPServer, Hangup
from netclients.testing import Reply as Answer
from tests.servers import FTPTarget

pytestmark = pytest.mark.anyio

MakeClient = Callable[..., FTPClient]
Embedded = Callable[..., FTPServer]

SECRET = "s3cr3t-p%w/@"
AGAIN = RetryPolicy(attempts=3, initial=0.01, maximum=0.02)


async def test_hooks(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path, recorder: Any) -> None:
    ftp_server.put("f", b"x" * 1000)
    async with ftp(events=recorder) as client:
        await client.download("f", tmp_path / "out")
        await client.upload(b"y" * 500, "g", atomic=False)
    ((number, host, port, seconds),) = recorder.named("connection_opened")
    assert (host, port) == (ftp_server.host, ftp_server.port)
    assert 0 < seconds < 30
    assert [args[0] for args in recorder.named("connection_closed")] == [number]
    assert sorted(args[1:] for args in recorder.named("bytes_moved")) == [(0, 500), (1000, 0)]
    assert {args[0] for args in recorder.named("command")} == {number}
    commands = [args[1] for args in recorder.named("command")]
    assert commands[:2] == [f"USER {ftp_server.user}", "PASS ***"]
    assert "RETR f" in commands
    assert "STOR g" in commands
    codes = [args[1] for args in recorder.named("reply")]
    assert codes[0] == 220
    assert codes.count(226) == 2
    assert recorder.named("retry") == recorder.named("outcome_unknown") == []


async def test_retries_are_told(embedded: Embedded, recorder: Any, caplog: pytest.LogCaptureFixture) -> None:
    server = embedded(faults=[Answer("RETR", text="450 Busy.", times=2)])
    (server.root / "f").write_bytes(b"x")
    caplog.set_level("INFO", logger="netclients")
    async with FTPClient(server.url, tls="none", retry=AGAIN, events=recorder) as client:
        assert await client.read_bytes("f") == b"x"
    told = recorder.named("retry")
    assert [(args[0], args[1]) for args in told] == [("RETR f", 1), ("RETR f", 2)]
    assert all(isinstance(args[3], TransientReplyError) for args in told)
    assert caplog.text.count("450 Busy.") == 2


async def test_waits_are_told(embedded: Embedded, recorder: Any, tmp_path: Path) -> None:
    server = embedded()
    for number in range(10):
        (server.root / f"f{number}").write_bytes(b"x")
    limits = PoolLimits(max_connections=1)
    async with FTPClient(server.url, tls="none", limits=limits, events=recorder) as client:
        stream = client.download_many([f"f{n}" for n in range(10)], tmp_path / "out", concurrency=5)
        async with stream as items:
            assert [item.error async for item in items] == [None] * 10
        assert len(recorder.named("pool_wait")) == client.stats.waits > 0


class Broken(Events):
    """Fails at every occasion."""

    def __getattribute__(self, name: str) -> Any:
        if name in Events.__dict__ and not name.startswith("_"):

            def fail(*args: object) -> None:
                raise RuntimeError(f"broken {name}")

            return fail
        return super().__getattribute__(name)


async def test_a_broken_hook_breaks_nothing(
    embedded: Embedded, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = embedded(faults=[Hangup("RETR", times=1)])
    (server.root / "f").write_bytes(b"x" * 1000)
    async with FTPClient(server.url, tls="none", retry=AGAIN, events=Broken()) as client:
        await client.download("f", tmp_path / "out")
        await client.upload(b"y", "g")
        with pytest.raises(RemoteFileNotFound):
            await client.read_bytes("missing")
        assert client.stats.in_use == 0
    assert (tmp_path / "out").read_bytes() == b"x" * 1000
    assert {record.name for record in caplog.records if record.exc_info} == {"netclients.events"}
    for hook in ("connection_opened", "command", "reply", "retry", "bytes_moved"):
        assert f"broken {hook}" in caplog.text


# Secrets


def texts(*objects: object) -> str:
    return "\n".join(form for one in objects for form in (str(one), repr(one), repr(getattr(one, "__dict__", ""))))


def check(text: str) -> None:
    for form in (SECRET, "s3cr3t", "acc0unt"):
        assert form not in text


@pytest.mark.parametrize("tls", ["none", "explicit"])
async def test_no_secret_is_shown(
    embedded: Embedded, caplog: pytest.LogCaptureFixture, recorder: Any, tls: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    server = embedded(tls=tls, users={"alice": SECRET})
    (server.root / "f").write_bytes(b"x")
    login = Login("alice", SECRET, "acc0unt")
    endpoint = Endpoint.parse(server.url)
    options: dict[str, Any] = {"tls": "none"} if tls == "none" else {"ssl_context": server.client_context()}
    seen: list[object] = [login, endpoint]
    async with FTPClient(endpoint, auth=login, events=recorder, retry=AGAIN, **options) as client:
        assert await client.read_bytes("f") == b"x"
        async with client.connection() as connection:
            seen += [client, connection, connection.settings, connection.protocol, client.connection()]
            reply = await connection.command("PASS", SECRET)
            seen.append(reply)
        with pytest.raises(NetClientError) as caught:
            await client.read_bytes("missing")
        seen += [caught.value, client.scandir(), client.open("f"), client.stats]
    check(texts(*seen))
    check(repr(recorder.calls))
    check(caplog.text)
    assert "PASS ***" in caplog.text
    assert "RETR f" in caplog.text


async def test_no_secret_is_in_errors(embedded: Embedded, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echo = Answer("PASS", text=f"530 {SECRET} is wrong.")
    server = embedded(users={"alice": "x"}, faults=[Hangup("PASS", times=1), echo])
    url = f"ftp://{server.host}:{server.port}"
    errors: list[NetClientError] = []
    for _ in range(2):
        async with FTPClient(url, auth=("alice", SECRET), tls="none", retry=RetryPolicy(attempts=1)) as client:
            with pytest.raises(NetClientError) as caught:
                await client.read_bytes("f")
            errors.append(caught.value)
    assert isinstance(errors[1], AuthenticationError)
    for error in errors:
        # The reply's own text is the server's: one that echoes passwords shows them to everybody.
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), again.__dict__) == (type(error), str(error), error.__dict__)
    check(texts(errors[0], pickle.loads(pickle.dumps(errors[0]))))
    assert errors[1].command == "PASS ***"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
def test_reprs(anyio_backend: object) -> None:
    url = f"ftp://alice:{SECRET.replace('%', '%25').replace('/', '%2F').replace('@', '%40')}@h/"
    endpoint = Endpoint.parse(url)
    assert endpoint.login is not None
    assert endpoint.login.password == SECRET
    check(texts(endpoint, endpoint.login, FTPClient(url), Login("a", SECRET, "acc0unt")))
    gc.collect()
