"""A client for the tests of the embedded IMAP server: sends what it is told, and reads replies as bytes."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Iterator
from typing import Any

from netclients.testing import IMAPServer


class Peer:
    """One connection."""

    def __init__(self, server: IMAPServer, *, login: bool = True) -> None:
        self.server = server
        self.sock: socket.socket = socket.create_connection((server.host, server.port), timeout=10)
        if server.url.startswith("imaps"):
            self.sock = server.client_context().wrap_socket(self.sock, server_hostname="localhost")
        self.file = self.sock.makefile("rb")
        self.greeting = self.line()
        self._count = 0
        if login:
            assert self.ok('LOGIN me "secret"')

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def line(self) -> bytes:
        """Return the next reply without its CRLF, literals and all."""
        reply = b""
        while True:
            line = self.file.readline()
            if not line.endswith(b"\r\n"):
                raise EOFError(reply + line)
            reply += line
            found = re.search(rb"\{(\d+)\}\r\n\Z", line)
            if found is None:
                return reply[:-2]
            reply += self.file.read(int(found[1]))

    def until(self, tag: str) -> list[bytes]:
        lines = [self.line()]
        while not lines[-1].startswith(f"{tag} ".encode()):
            lines.append(self.line())
        return lines

    def say(self, command: str | bytes) -> list[bytes]:
        """Send a command; return what it is answered, the tag of the last line taken off."""
        self._count += 1
        tag = f"a{self._count}"
        data = command.encode() if isinstance(command, str) else command
        self.send(tag.encode() + b" " + data + b"\r\n")
        *untagged, last = self.until(tag)
        return [*untagged, last[len(tag) + 1 :]]

    def ok(self, command: str | bytes) -> list[bytes]:
        """Send a command that succeeds; return what is untagged, and the last line if it has a code."""
        *untagged, last = self.say(command)
        assert last.startswith(b"OK"), last
        return [*untagged, last]

    def untagged(self, command: str | bytes) -> list[bytes]:
        """Send a command that succeeds; return what is untagged."""
        return self.ok(command)[:-1]

    def status(self, command: str | bytes) -> bytes:
        """Return how a command ends: OK, NO or BAD, with its code."""
        last = self.say(command)[-1]
        found = re.match(rb"(OK|NO|BAD)( \[[^\]]*\])?", last)
        assert found is not None, last
        return found[0]

    def append(self, mailbox: str, raw: bytes, before: str = "") -> bytes:
        return self.status(f"APPEND {mailbox} {before}{{{len(raw)}+}}\r\n".encode() + raw)

    def starttls(self) -> None:
        assert self.ok("STARTTLS")
        self.file.close()
        self.sock = self.server.client_context().wrap_socket(self.sock, server_hostname="localhost")
        self.file = self.sock.makefile("rb")

    def rest(self) -> bytes:
        return self.file.read()

    def close(self) -> None:
        self.file.close()
        self.sock.close()


@contextlib.contextmanager
def peer(server: IMAPServer, *, login: bool = True) -> Iterator[Peer]:
    with contextlib.closing(Peer(server, login=login)) as client:
        yield client


@contextlib.contextmanager
def serving(*messages: bytes, login: bool = True, **options: Any) -> Iterator[tuple[IMAPServer, Peer]]:
    """A server with these messages in its INBOX, and a client that has it selected."""
    with IMAPServer(**options) as server:
        for message in messages:
            server.add("me", "INBOX", message)
        with peer(server, login=login) as client:
            if login:
                client.ok("SELECT INBOX")
            yield server, client
