"""A server on raw sockets that behaves, except where a test tells it not to.

Every control connection runs in a thread of its own. ``answers`` maps a verb (or ``"greeting"``) to what is
said instead of the usual: bytes, or a function that gets the :class:`Session` and does as it likes.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Self

Answer = bytes | Callable[["Session"], object]


class Gone(Exception):
    """The client has left, or the session is to end."""


class Session:
    """One control connection, as seen by an answer."""

    def __init__(self, server: HostileServer, sock: socket.socket) -> None:
        self.server = server
        self.sock = sock
        self.argument = ""
        self.listener: socket.socket | None = None
        self.target: tuple[str, int] | None = None
        self._buffer = b""

    def say(self, data: bytes) -> None:
        self.sock.sendall(data)

    def flood(self, data: bytes, repeat: int | None = None) -> None:
        """Send for ever, or so often."""
        while repeat is None or repeat > 0:
            self.sock.sendall(data)
            repeat = None if repeat is None else repeat - 1

    def hang(self) -> None:
        """Say nothing until the client leaves."""
        while self.sock.recv(65536):
            pass
        raise Gone

    def read_command(self) -> str:
        while b"\n" not in self._buffer:
            data = self.sock.recv(65536)
            if not data:
                raise Gone
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        text = line.strip(b"\r").decode("latin-1")
        verb, _, self.argument = text.partition(" ")
        self.server.commands.append(text)
        return verb.upper()

    def listen(self, host: str = "127.0.0.1", port: int = 0) -> int:
        self.drop_listener()
        self.listener = socket.create_server((host, port))
        return int(self.listener.getsockname()[1])

    def drop_listener(self) -> None:
        if self.listener is not None:
            self.listener.close()
            self.listener = None

    def connect_data(self) -> socket.socket:
        if self.target is not None:
            return socket.create_connection(self.target, timeout=10)
        if self.listener is None:
            raise Gone
        self.listener.settimeout(10)
        data, _ = self.listener.accept()
        data.settimeout(30)
        self.server.data_connections += 1
        return data

    def transfer(self, content: bytes, before: bytes = b"150 here\r\n", after: bytes = b"226 done\r\n") -> None:
        """Send ``content`` over a data connection, with these replies around it."""
        self.say(before)
        with self.connect_data() as data, contextlib.suppress(OSError):
            data.sendall(content)
        self.say(after)

    def receive(self, after: bytes = b"226 done\r\n") -> None:
        self.say(b"150 go on\r\n")
        with self.connect_data() as data:
            while block := data.recv(65536):
                self.server.received += block
        self.say(after)


def _epsv(session: Session) -> None:
    session.say(b"229 ok (|||%d|)\r\n" % session.listen())


def _pasv(session: Session) -> None:
    port = session.listen()
    session.say(b"227 ok (127,0,0,1,%d,%d)\r\n" % (port >> 8, port & 255))


USUAL: dict[str, Answer] = {
    "greeting": b"220 hello\r\n",
    "AUTH": b"500 what\r\n",
    "USER": b"331 and\r\n",
    "PASS": b"230 in\r\n",
    "FEAT": b"211-features\r\n UTF8\r\n SIZE\r\n MDTM\r\n MLST type*;size*;\r\n REST STREAM\r\n EPSV\r\n211 end\r\n",
    "OPTS": b"200 ok\r\n",
    "TYPE": b"200 ok\r\n",
    "NOOP": b"200 ok\r\n",
    "PWD": b'257 "/"\r\n',
    "CWD": b"250 ok\r\n",
    "REST": b"350 ok\r\n",
    "SIZE": lambda session: session.say(b"213 %d\r\n" % len(session.server.content)),
    "MDTM": b"213 20260101120000\r\n",
    "EPSV": _epsv,
    "PASV": _pasv,
    "RETR": lambda session: session.transfer(session.server.content),
    "MLSD": lambda session: session.transfer(session.server.listing),
    "LIST": lambda session: session.transfer(session.server.listing),
    "STOR": lambda session: session.receive(),
    "RNFR": b"350 ok\r\n",
    "RNTO": b"250 ok\r\n",
    "DELE": b"250 ok\r\n",
    "MKD": b'257 "made"\r\n',
    "MLST": b"250-here\r\n type=file;size=7; name\r\n250 end\r\n",
    "QUIT": b"221 bye\r\n",
}


class HostileServer:
    """Listens on ``127.0.0.1:port`` while used with ``with``; ``commands`` are the lines that clients sent."""

    def __init__(
        self,
        answers: Mapping[str, Answer] | None = None,
        *,
        content: bytes = b"content",
        listing: bytes = b"type=file;size=7; name\r\n",
    ) -> None:
        self.answers: dict[str, Answer] = {**USUAL, **(answers or {})}
        self.content = content
        self.listing = listing
        self.commands: list[str] = []
        self.received = b""
        self.data_connections = 0
        self._sessions: list[Session] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sock in [self._listener, *(session.sock for session in self._sessions)]:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(15)
            assert not thread.is_alive(), "a session of the hostile server does not end"

    @property
    def url(self) -> str:
        return f"ftp://user:secret@127.0.0.1:{self.port}?tls=none"

    def verbs(self) -> list[str]:
        return [line.split(" ", 1)[0].upper() for line in self.commands]

    def _start(self, run: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=run, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            session = Session(self, sock)
            self._sessions.append(session)
            self._start(self._serve, session)

    def _serve(self, session: Session) -> None:
        try:
            with contextlib.suppress(OSError, Gone):
                self._answer(session, "greeting")
                while True:
                    self._answer(session, session.read_command())
        finally:
            session.drop_listener()
            session.sock.close()

    def _answer(self, session: Session, verb: str) -> None:
        answer = self.answers.get(verb, b"502 what\r\n")
        if isinstance(answer, bytes):
            session.say(answer)
        else:
            answer(session)
