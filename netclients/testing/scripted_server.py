"""A server on loopback that plays written dialogues, for what no real server would say."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Self

from . import certificates
from ._channel import Channel
from ._server import Runnable
from ._sockets import accept_forever, listening_socket
from .script import Close, Expect, ExpectClose, Generate, Match, Reset, Say, StartTLS, Step, parse_script

_GRACE = 1.0
"""Seconds that a script may take to end after the block was left."""

Script = str | Sequence[Step]


@dataclass(slots=True)
class Played:
    """How far one connection got."""

    steps: int = 0
    """Steps that are done."""
    sent: int = 0
    """Bytes sent."""
    received: bytes = b""
    """What the client sent, the last 64 KiB of it."""
    error: str | None = None
    """Where client and script disagreed."""
    finished: bool = False
    """The script has ended, one way or another."""


class _MismatchError(Exception):
    """Client and script disagree."""


class ScriptedServer(Runnable):
    """Plays a script (text or steps, see :mod:`netclients.testing.script`) to every client.

    With a list of scripts the first connection gets the first script and so on, and one more connection is
    an error. ``async with`` runs it on the running asyncio loop, ``with`` in a thread of its own.

    When the block is left, and in :meth:`check`, disagreements raise AssertionError. A client that leaves
    early is one, except while the server sends without end or from a :class:`Generate`. So is a client that
    sends more than the script has, unless `ignore_rest`.

    `tls` begins with the handshake. Certificates are those of :mod:`netclients.testing.certificates`.
    """

    def __init__(
        self,
        script: Script | Sequence[Script],
        *,
        tls: bool = False,
        ssl_context: ssl.SSLContext | None = None,
        ignore_rest: bool = False,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        several = not isinstance(script, str) and all(not _is_step(item) for item in script)
        self._several = several
        self._scripts = [_steps(one) for one in (script if several else [script])]  # type: ignore[arg-type]
        self._tls, self._context, self._ignore_rest = tls, ssl_context, ignore_rest
        self._host, self._port = host, port
        self._played: list[Played] = []
        self._players: dict[asyncio.Task[None], _Player] = {}

    _name = "netclients-scripted-server"

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._listener = listening_socket(self._host, self._port)
        self._host, self._port = self._listener.getsockname()[:2]
        self._accepting = asyncio.create_task(accept_forever(self._listener, self._accepted))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self._let_players_finish()
        tasks = [self._accepting, *self._players]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._listener.close()
        if kind is None:
            self.check()

    async def _let_players_finish(self) -> None:
        """Wait for what clients have sent but players have not read yet."""
        unfinished = {task for task, player in self._players.items() if player.is_expecting()}
        if unfinished:
            await asyncio.wait(unfinished, timeout=_GRACE)

    @property
    def played(self) -> list[Played]:
        """How far each connection got, in the order they were made."""
        return self._call(lambda: [replace(one) for one in self._played])

    def check(self) -> None:
        """Raise AssertionError if a client and its script disagreed so far."""
        errors = [f"connection {n}: {one.error}" for n, one in enumerate(self.played) if one.error]
        if errors:
            raise AssertionError("\n".join(errors))

    # One connection

    def _accepted(self, sock: socket.socket) -> None:
        played = Played()
        self._played.append(played)
        number = len(self._played) - 1 if self._several else 0
        if number >= len(self._scripts):
            played.error = f"there are scripts for {len(self._scripts)} connections only"
            sock.close()
            return
        player = _Player(Channel(sock), self._scripts[number], played, self._context, self._ignore_rest)
        task = asyncio.create_task(player.run([StartTLS()] if self._tls else []))
        self._players[task] = player
        task.add_done_callback(self._players.pop)
        # A task that is cancelled before it begins has no chance to close anything.
        task.add_done_callback(lambda _: sock.close())


def _is_step(item: object) -> bool:
    return isinstance(item, Step)


def _steps(script: Script) -> Sequence[Step]:
    return parse_script(script) if isinstance(script, str) else script


@dataclass(slots=True)
class _Player:
    channel: Channel
    script: Sequence[Step]
    played: Played
    context: ssl.SSLContext | None
    ignore_rest: bool
    input: bytearray = field(default_factory=bytearray)

    async def run(self, before: Sequence[Step]) -> None:
        try:
            for step in before:
                await self._play(step)
            await self._run()
        except asyncio.CancelledError:
            if self.is_expecting():
                self.played.error = self._at("the script was not played to its end")
            raise
        except (_MismatchError, OSError) as error:
            if isinstance(error, _MismatchError):
                self.played.error = self._at(str(error))
            elif not self._may_leave():
                self.played.error = self._at(f"the client left ({error})")
        finally:
            self.played.finished = True
            self.channel.close()

    async def _run(self) -> None:
        for step in self.script:
            await self._play(step)
            self.played.steps += 1
            if isinstance(step, Close | Reset):
                return
        self.played.finished = True  # what remains is to wait for the client's end
        with contextlib.suppress(ConnectionError):
            rest = bytes(self.input) or await self._recv()
            while rest:
                if not self.ignore_rest:
                    raise _MismatchError(f"the client sent more than the script has: {rest!r}")
                rest = await self._recv()

    def _at(self, text: str) -> str:
        number = self.played.steps
        step = self.script[number] if number < len(self.script) else "the end"
        return f"{text}, at step {number + 1}, {step!r}; before that it sent {self.played.received[-200:]!r}"

    def is_expecting(self) -> bool:
        """Tell whether the client still owes something."""
        return not self.played.finished and not self._may_leave()

    def _may_leave(self) -> bool:
        step = self.script[self.played.steps] if self.played.steps < len(self.script) else None
        return isinstance(step, Generate | ExpectClose) or (isinstance(step, Say) and step.repeat is None)

    async def _play(self, step: Step) -> None:
        match step:
            case Say():
                await self._send(step.chunks())
            case Generate():
                await self._send(step.source())
            case Expect():
                await self._expect(step.data)
            case Match():
                line = await self._line()
                if not step.pattern.fullmatch(line.rstrip(b"\r\n")):
                    raise _MismatchError(f"expected a line like {step.pattern.pattern!r}, got {line!r}")
            case StartTLS():
                if self.input:
                    raise _MismatchError(f"the client sent plaintext in front of its handshake: {bytes(self.input)!r}")
                await self.channel.start_tls(self.context or certificates.server_context())
            case Close():
                await self.channel.send_close_alert()
            case Reset():
                self.channel.reset()
            case ExpectClose():
                if data := bytes(self.input) or await self._recv():
                    raise _MismatchError(f"expected the client to leave, got {data!r}")

    async def _send(self, chunks: Iterable[bytes]) -> None:
        for chunk in chunks:
            await self.channel.send(chunk)
            self.played.sent += len(chunk)
            await asyncio.sleep(0)  # a client that reads fast would keep this loop from everything else

    async def _recv(self) -> bytes:
        data = await self.channel.recv()
        self.played.received = (self.played.received + data)[-65536:]
        return data

    async def _expect(self, data: bytes) -> None:
        while len(self.input) < len(data) and data.startswith(bytes(self.input)):
            block = await self._recv()
            if not block:
                raise _MismatchError(f"expected {data!r}, got {bytes(self.input)!r} and the end")
            self.input += block
        got = bytes(self.input[: len(data)])
        if got != data:
            raise _MismatchError(f"expected {data!r}, got {bytes(self.input)!r}")
        del self.input[: len(data)]

    async def _line(self) -> bytes:
        while (end := self.input.find(b"\n")) < 0:
            block = await self._recv()
            if not block:
                raise _MismatchError(f"expected a line, got {bytes(self.input)!r} and the end")
            self.input += block
        line = bytes(self.input[: end + 1])
        del self.input[: end + 1]
        return line
