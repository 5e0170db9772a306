"""A stream whose other side is a script: whole dialogues without a socket, and without time passing.

The script is a sequence of :mod:`steps <netclients.transport.steps>`, played from the first to the last. What the
client sends is compared with the next ``Expect`` or ``Match``; what it reads is the next ``Say``. Where a real client
would have to wait, nothing will ever happen here, so that a wait ends at once by the timeout of its phase.

::

    client → try_send → Expect, Match, ExpectClose
    client ← try_recv_into ← Say, Generate, Close, Reset
"""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Iterable, Iterator

from netclients.errors import ConnectionLost
from netclients.transport.steps import Close, Expect, ExpectClose, Generate, Match, Reset, Say, Stall
from netclients.transport.stream import Buffer, ByteStream

__all__ = [
    "Close",
    "Expect",
    "ExpectClose",
    "Generate",
    "Match",
    "MemoryStream",
    "Reset",
    "Say",
    "Stall",
    "Step",
]

_PATIENCE = 100  # tries in vain until a client that never waits is told that it spins


Step = Expect | Match | ExpectClose | Say | Generate | Stall | Close | Reset


class MemoryStream(ByteStream):
    """The client's side of a scripted connection.

    ``chunk`` is how many bytes are received at a time at the most (None: as many as there are). ``aborted``
    and ``ended`` tell whether the client closed the connection, or its side of it. A client that leaves the
    script gets an AssertionError that shows the step; :meth:`check` raises one if steps are left over.
    """

    def __init__(self, steps: Iterable[Step], *, peer: str = "127.0.0.1", chunk: int | None = None) -> None:
        self._steps = deque(steps)
        self._total = len(self._steps)
        self._peer = peer
        self._chunk = chunk
        self._heard = bytearray()
        self._saying: Iterator[bytes] = iter(())
        self._said = memoryview(b"")
        self._in_vain = 0
        self.aborted: bool = False
        self.ended: bool = False
        self._begin()

    # The script

    @property
    def _step(self) -> Step | None:
        return self._steps[0] if self._steps else None

    def _begin(self) -> None:
        """Play all steps that need nothing more from the client; stop at one that does."""
        while (step := self._step) is not None:
            match step:
                case Expect(data=data) if self._takes(data):
                    del self._heard[: len(data)]
                case Match(pattern=pattern) if (end := self._matches(pattern)) is not None:
                    del self._heard[:end]
                case ExpectClose() if self.ended:
                    if self._heard:
                        raise self._mismatch("the client to leave")
                case Say() | Generate():
                    self._saying = step.chunks()
                    if self._say_on():
                        return
                case _:
                    return
            self._steps.popleft()
        if self._heard:
            raise self._mismatch("nothing more")

    def _listen(self) -> None:
        # While the peer has something to say, what the client sends waits for the step behind.
        if isinstance(self._step, (Expect, Match, ExpectClose)):
            self._begin()

    def _takes(self, data: bytes) -> bool:
        whole = len(self._heard) >= len(data)
        if not data.startswith(self._heard[: len(data)]) or (self.ended and not whole):
            raise self._mismatch(repr(data))
        return whole

    def _matches(self, pattern: re.Pattern[bytes]) -> int | None:
        end = self._heard.find(b"\n") + 1
        if not end and not self.ended:
            return None
        line = bytes(self._heard[:end])
        if not end or not pattern.fullmatch(line.rstrip(b"\r\n")):
            raise self._mismatch(f"a line like {pattern.pattern!r}")
        return end

    def _mismatch(self, wanted: str) -> AssertionError:
        number = self._total - len(self._steps) + 1
        got = bytes(self._heard[:200])
        end = " and the end" if self.ended else ""
        return AssertionError(f"step {number} of {self._total}: expected {wanted}, got {got!r}{end}")

    def _say_on(self) -> bool:
        """Take the next piece of what is being said; return False at its end, or if nothing is said."""
        self._said = memoryview(next(filter(None, self._saying), b""))
        return len(self._said) > 0

    def check(self) -> None:
        """Raise AssertionError unless the whole script has been played; a stall is an end, too."""
        left = [step for step in self._steps if not isinstance(step, (Stall, Close, Reset))]
        if left:
            raise AssertionError(f"the script was not played to its end, left: {left}")

    # The stream

    @property
    def socket(self) -> None:
        """There is none."""

    @property
    def peer(self) -> str:
        """The address that was given."""
        return self._peer

    @property
    def local_address(self) -> str | None:
        """The same: both sides are here."""
        self._check_open()
        return self._peer

    @property
    def stalled(self) -> bool:
        """Whether the last try was in vain; nothing happens by waiting."""
        return self._in_vain > 0

    def _nothing(self) -> None:
        self._in_vain += 1
        if self._in_vain > _PATIENCE:
            raise AssertionError(f"the client spins at {self._step or 'the end of the script'}")

    def _check_open(self) -> None:
        if self.aborted:
            raise ConnectionLost("the connection was closed from this side")
        if isinstance(self._step, Reset):
            raise ConnectionLost(f"connection to {self._peer} lost: reset by the script")

    def try_recv_into(self, buffer: bytearray | memoryview) -> int | None:
        """See :meth:`ByteStream.try_recv_into`."""
        self._check_open()
        match self._step:
            case Close():
                return 0
            case Say() | Generate():
                self._in_vain = 0
                room = len(buffer) if self._chunk is None else min(self._chunk, len(buffer))
                piece = self._said[:room]
                with memoryview(buffer) as view:
                    view[: len(piece)] = piece
                self._said = self._said[len(piece) :]
                if not self._said and not self._say_on():
                    self._steps.popleft()
                    self._begin()
                return len(piece)
            case _:
                self._nothing()
                return None

    def try_send(self, data: Buffer) -> int:
        """See :meth:`ByteStream.try_send`. What is sent to a peer that has closed is lost, as in real life."""
        self._check_open()
        match self._step:
            case Stall():
                self._nothing()
                return 0
            case Close():
                return len(data)
            case None:
                self._heard += data
                raise self._mismatch("nothing more")
        self._in_vain = 0
        self._heard += data
        self._listen()
        return len(data)

    def send_eof(self) -> None:
        """End the client's side."""
        self._check_open()
        self.ended = True
        self._listen()

    def abort(self) -> None:
        """See :meth:`ByteStream.abort`. What the peer had still to say is lost; nothing is compared any more."""
        self.aborted = True
        self.ended = True
        said = sum(1 for _ in itertools.takewhile(lambda step: isinstance(step, Say | Generate), self._steps))
        if said < len(self._steps) and isinstance(self._steps[said], ExpectClose) and not self._heard:
            for _ in range(said + 1):
                self._steps.popleft()
