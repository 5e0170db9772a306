"""What a :class:`~netclients.testing.FaultProxy` does to a connection: values, without I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

Kind = Literal["control", "data"]
"""``"data"`` is the data connection of FTP, everything else is ``"control"``."""

How = Literal["reset", "fin", "close", "stall"]


@dataclass(frozen=True, slots=True)
class Cut:
    """Ends or stops a direction once the bytes up to `after` were forwarded.

    `after` is a number of bytes, or a regular expression over the bytes of this direction: the point is then
    behind its first match (``rb"226[^\\n]*\\n"``), as far as these bytes have not gone already.

    - ``"reset"``: both sides see a connection reset.
    - ``"fin"``: the receiver sees the end of the stream. What the sender goes on to send is read and
      discarded, so it believes that all went well. The other direction is not touched.
    - ``"close"``: both sides see the end of the stream.
    - ``"stall"``: nothing more is forwarded, the connection stays open. The sender can go on
      until the buffers are full.
    """

    after: int | bytes
    how: How = "reset"


@dataclass(frozen=True, slots=True)
class Inject:
    """Adds `data` at the point `at` (see :class:`Cut`), in one piece with the byte in front of it."""

    at: int | bytes
    data: bytes


@dataclass(frozen=True, slots=True)
class Flow:
    """One direction of a connection."""

    latency: float = 0.0
    """Seconds that every byte is under way. Order and throughput stay as they are: pipelined data flows."""
    rate: float | None = None
    """Bytes a second."""
    chunk: int | None = None
    """Send at most so many bytes at a time, each in a packet of its own."""
    whole: bytes = b""
    """What `chunk` and `rate` leave in one packet, such as ``b"\\r\\n"`` for servers that mistake a lone LF."""
    cut: Cut | None = None
    inject: tuple[Inject, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """One connection: `up` is client to server, `down` is server to client.

    With latency the connection to the server is made as much later as the TCP handshake would take, so that
    the time until the first answer is that of a real network. `refuse` resets the connection at once.
    """

    up: Flow = field(default_factory=Flow)
    down: Flow = field(default_factory=Flow)
    refuse: bool = False

    @classmethod
    def round_trip(cls, seconds: float) -> Self:
        """Return the plan of a network with this round trip time."""
        return cls(up=Flow(latency=seconds / 2), down=Flow(latency=seconds / 2))


Planner = Callable[[int, Kind], Plan]
"""Chooses the plan of a connection by its number among those of its kind, from 0."""


@dataclass(frozen=True, slots=True)
class FaultReport:
    """What a proxy has seen and done so far."""

    control: int
    """Connections, without data connections of FTP."""
    data: int
    """Data connections of FTP."""
    open: int
    """Connections that are open now."""
    bytes_up: int
    """Forwarded to the server, injections included."""
    bytes_down: int
    """Forwarded to the client, injections included."""
    ran: Mapping[str, int]
    """How many faults ran, by ``"up.reset"``, ``"down.inject"``, ``"refuse"``, ``"sever"`` and so on."""

    @property
    def points(self) -> int:
        """How many faults ran."""
        return sum(self.ran.values())
