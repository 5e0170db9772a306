"""Scripts: the parser as a table, and the server that plays them."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator

import pytest

from netclients.testing import (
    Close,
    Expect,
    ExpectClose,
    Generate,
    Match,
    Reset,
    Say,
    ScriptedServer,
    ScriptError,
    StartTLS,
    Step,
    certificates,
    parse_script,
)

TABLE: list[tuple[str, list[Step]]] = [
    ("", []),
    ("# nothing\n\n   \n", []),
    ("S: 220 ready", [Say(b"220 ready\r\n")]),
    ("   S: 220 ready", [Say(b"220 ready\r\n")]),
    ("C: USER bob\nS: 331 go", [Expect(b"USER bob\r\n"), Say(b"331 go\r\n")]),
    ("S:", [Say(b"\r\n")]),
    ("S: ", [Say(b"\r\n")]),
    ("S:  two spaces ", [Say(b" two spaces \r\n")]),
    ("S| half", [Say(b"half")]),
    ("C| \\x00\\xff", [Expect(b"\x00\xff")]),
    ("S| \\r\\n\\t\\\\", [Say(b"\r\n\t\\")]),
    ("S: grün", [Say("grün\r\n".encode())]),
    ("S*3: a", [Say(b"a\r\n", 3)]),
    ("S*3| a", [Say(b"a", 3)]),
    ("S*: a", [Say(b"a\r\n", None)]),
    ("S*| a", [Say(b"a", None)]),
    (r"C~ PORT \d+", [Match(re.compile(rb"PORT \d+"))]),
    ("S-close", [Close()]),
    ("S-reset  ", [Reset()]),
    ("S-tls", [StartTLS()]),
    ("C-close", [ExpectClose()]),
    ("S: # no comment", [Say(b"# no comment\r\n")]),
    ("S: C: no step", [Say(b"C: no step\r\n")]),
]


@pytest.mark.parametrize(("text", "steps"), TABLE)
def test_parses(text: str, steps: list[Step]) -> None:
    assert parse_script(text) == steps


@pytest.mark.parametrize("text", [row[0] for row in TABLE])
def test_parses_in_a_longer_script(text: str) -> None:
    whole = f"C: before\n{text}\nS-close"
    assert parse_script(whole) == [Expect(b"before\r\n"), *parse_script(text), Close()]


@pytest.mark.parametrize(
    "text",
    [
        "X: no side",
        "S",
        "S 220",
        "S:220",
        "S: \\q",
        "S: \\x1",
        "S: \\",
        "C*3: a",
        "S~ a",
        "S-stop",
        "C-",
        "C~ (",
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(ScriptError, match=r"^line 2, "):
        parse_script(f"S: fine\n{text}\n")


@pytest.mark.parametrize(("size", "repeat"), [(1, 1), (1, 200_000), (7, 9363), (100_000, 3), (0, 5)])
def test_repeats_in_pieces(size: int, repeat: int) -> None:
    say = Say(b"x" * size, repeat)
    pieces = list(say.chunks())
    assert b"".join(pieces) == b"x" * (size * repeat)
    assert all(len(piece) <= max(size, 65536) for piece in pieces)


def test_repeats_for_ever() -> None:
    chunks = Say(b"ab", None).chunks()
    assert {next(chunks) for _ in range(3)} == {b"ab" * 32768}


def _connect(server: ScriptedServer) -> socket.socket:
    return socket.create_connection((server.host, server.port), timeout=10)


def _talk(server: ScriptedServer, *lines: bytes) -> bytes:
    """Send lines, say that there are no more, and return all that comes back."""
    with _connect(server) as sock:
        for line in lines:
            sock.sendall(line)
        with contextlib.suppress(OSError):  # it may have been reset already
            sock.shutdown(socket.SHUT_WR)
        got = b""
        while data := sock.recv(65536):
            got += data
    return got


GREETED = "S: 220 hi\nC: NOOP\nS: 200 ok\nC~ QUIT.*\nS: 221 bye"


@pytest.mark.parametrize("lines", [[b"NOOP\r\nQUIT now\r\n"], [b"NO", b"OP\r", b"\nQUIT", b"\r\n"]])
def test_plays_a_dialogue(lines: list[bytes]) -> None:
    with ScriptedServer(GREETED) as server:
        assert _talk(server, *lines) == b"220 hi\r\n200 ok\r\n221 bye\r\n"
        assert [one.error for one in server.played] == [None]
        assert server.played[0].received == b"".join(lines)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([b"NOPE\r\n"], r"expected b'NOOP\\r\\n', got b'NOPE\\r\\n', at step 2"),
        ([b"NO"], r"expected b'NOOP\\r\\n', got b'NO' and the end, at step 2"),
        ([b"NOOP\r\nHELP\r\n"], r"expected a line like b'QUIT\.\*', got b'HELP\\r\\n', at step 4"),
        ([b"NOOP\r\nQUIT\r\nmore"], r"more than the script has: b'more', at step 6"),
    ],
)
def test_reports_a_mismatch(lines: list[bytes], message: str) -> None:
    with pytest.raises(AssertionError, match="connection 0: .*" + message), ScriptedServer(GREETED) as server:
        _talk(server, *lines)


def test_the_first_error_is_the_one_that_comes_out() -> None:
    def body() -> None:
        with ScriptedServer(GREETED) as server:
            _talk(server, b"NOPE\r\n")
            raise KeyError

    with pytest.raises(KeyError):
        body()


def test_one_script_for_each_connection() -> None:
    def body() -> None:
        with ScriptedServer(["S: 1", "S: 2"]) as server:
            assert _talk(server) == b"1\r\n"
            assert _talk(server) == b"2\r\n"
            server.check()
            assert _talk(server) == b""

    with pytest.raises(AssertionError, match="connection 2: there are scripts for 2 connections only"):
        body()


def test_steps_instead_of_text() -> None:
    def many() -> Iterator[bytes]:
        for number in range(1000):
            yield b"%d\r\n" % number

    with ScriptedServer([Say(b"x"), Generate(many), Close()]) as server:
        for _ in range(2):
            assert _talk(server).endswith(b"998\r\n999\r\n")


def test_the_client_may_leave_an_endless_reply() -> None:
    with ScriptedServer("S*: 211-again\nS: never") as server, _connect(server) as sock:
        received = 0
        while received < 1_000_000:
            received += len(sock.recv(65536))
    assert server.played[0].sent >= 1_000_000


def test_leaving_early_is_an_error() -> None:
    with (
        pytest.raises(AssertionError, match=r"got b'' and the end, at step 2"),
        ScriptedServer(GREETED) as server,
    ):
        _talk(server)


def test_reset() -> None:
    with ScriptedServer("S: 220\nC: GO\nS-reset") as server, pytest.raises(ConnectionResetError):
        _talk(server, b"GO\r\n")


@pytest.mark.parametrize("implicit", [False, True])
def test_tls(implicit: bool) -> None:
    script = "S: secret\nS-close" if implicit else "C: STARTTLS\nS: ok\nS-tls\nS: secret\nS-close"
    with ScriptedServer(script, tls=implicit) as server, _connect(server) as raw:
        if not implicit:
            raw.sendall(b"STARTTLS\r\n")
            assert raw.recv(100) == b"ok\r\n"
        with certificates.client_context().wrap_socket(raw, server_hostname="localhost") as sock:
            assert sock.recv(100) == b"secret\r\n"
            assert sock.recv(100) == b""


def test_waits_for_the_client_to_leave() -> None:
    with ScriptedServer("S: 221 bye\nC-close") as server:
        assert _talk(server) == b"221 bye\r\n"


def test_a_client_that_should_leave_and_talks() -> None:
    error = pytest.raises(AssertionError, match="expected the client to leave, got b'x'")
    with error, ScriptedServer("S: 221 bye\nC-close") as server:
        _talk(server, b"x")
