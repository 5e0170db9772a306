"""Scripted streams for tests: dialogues as text, and a dialer that hands out streams instead of connecting."""

from __future__ import annotations

from collections import deque

from netclients.testing.script import parse_script
from netclients.transport import memory
from netclients.transport.dial import Dialer
from netclients.transport.steps import Stall, StartTLS


def steps(text: str) -> list[memory.Step]:
    """Read the script of a dialogue (see netclients.testing.script); ``S-stall`` is understood too."""
    return [step for line in text.strip().splitlines() for step in _steps_of(line)]


def _steps_of(line: str) -> list[memory.Step]:
    if line.strip() == "S-stall":
        return [Stall()]
    found = parse_script(line)
    if StartTLS() in found:
        raise ValueError("there is no TLS in memory")
    return found


def stream(text: str, *, chunk: int | None = None) -> memory.MemoryStream:
    return memory.MemoryStream(steps(text), chunk=chunk)


class ScriptedDialer(Dialer):
    """Hands out one scripted stream after the other, whatever address is asked for; notes the addresses.

    An exception among the streams is raised instead. ``start_tls`` only notes that it was called.
    """

    def __init__(self, *streams: memory.MemoryStream | str | Exception) -> None:
        super().__init__()
        self.streams = deque(stream(one) if isinstance(one, str) else one for one in streams)
        self.made: list[memory.MemoryStream] = []
        self.asked: list[tuple[str, int]] = []
        self.secured = 0

    async def connect(self, host, port, timeout, *, keepalive=True):
        self.asked.append((host, port))
        assert self.streams, f"nothing is scripted for a connection to {host}:{port}"
        made = self.streams.popleft()
        if isinstance(made, Exception):
            raise made
        self.made.append(made)
        return made

    async def start_tls(self, stream, host, timeout, **options):
        self.secured += 1
        return stream

    def check(self) -> None:
        """All scripts were played to their end."""
        assert not self.streams
        for one in self.made:
            one.check()
