"""Bulk data: between a stream and a sink, a file or a source, in bounded memory and without starving the loop.

``idle`` is the caller's way to wait: it returns when the stream may be tried again, and raises what ends the
transfer (a stall, a refusal on another connection). Received data passes through one buffer: the client's
shared scratch buffer as long as it is consumed before the next ``await``, a private one otherwise.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from netclients.errors import NetClientError
from netclients.transport.callers import CallerError
from netclients.transport.readiness import Turn, checkpoint
from netclients.transport.threads import in_thread

if TYPE_CHECKING:
    from netclients.transport.dial import Dialer
    from netclients.transport.rate import Meter
    from netclients.transport.source import ByteSource
    from netclients.transport.stream import ByteStream

__all__ = [
    "FileBuffer",
    "Sink",
    "is_kept",
    "receive_to_file",
    "receive_to_sink",
    "send_from",
]

Idle = Callable[[], Awaitable[None]]
Sink = Callable[[memoryview], object]
"""Takes a read-only view that is released when the call (or the awaitable that it returns) is over."""

_CHUNK = 256 * 1024
_FIRST_BUFFER = 16 * 1024
_WORTH_WRITING = 64 * 1024
_TRIP = 0.01  # seconds that a worker thread moves bytes before it is others' turn


# Receiving


async def receive_to_sink(stream: ByteStream, sink: Sink, idle: Idle, meter: Meter, dialer: Dialer) -> None:
    """Pass everything up to the stream's end to ``sink``."""
    buffer, private = dialer.scratch, False
    while True:
        limit = meter.step
        with memoryview(buffer) as whole, whole[:limit] as room:
            count = stream.try_recv_into(room)
        if count is None:
            await idle()
            meter.waited()
            if not private:
                buffer = dialer.scratch
            continue
        if count == 0:
            return
        view = memoryview(buffer).toreadonly()[:count]
        try:
            result = sink(view)
            if inspect.isawaitable(result):
                if not private:
                    dialer.replace_scratch()
                    private = True
                await result
        except NetClientError as error:
            raise CallerError(error) from error
        finally:
            kept = is_kept(view, buffer)
            if kept and not private:
                dialer.replace_scratch()
        if kept:
            buffer = bytearray(_CHUNK) if private else dialer.scratch
        await meter.count(count)
        if not private:
            buffer = dialer.scratch


def is_kept(view: memoryview, buffer: bytearray) -> bool:
    """Release ``view``; return whether something still refers to the memory, which must then never change."""
    try:
        view.release()
        # A bytearray refuses to change its size while anything is exported, slices of the view included.
        buffer.append(0)
        buffer.pop()
    except BufferError:
        return True
    return False


Store = Callable[[memoryview], None]


class FileBuffer:
    """Where bytes wait for a worker thread to write them: small at first, grown while more keeps coming.

    ``cap`` tells at any time how large it may become, in bytes; ``store`` writes, in a worker thread.
    """

    __slots__ = ("_buffer", "_cap", "_filled", "_store")

    def __init__(self, cap: Callable[[], int], store: Store) -> None:
        self._cap = cap
        self._store = store
        self._buffer = bytearray(_FIRST_BUFFER)
        self._filled = 0

    def room(self, limit: int | None) -> memoryview:
        """Return the free part, at most ``limit`` bytes of it; release it before the next call."""
        end = None if limit is None else self._filled + limit
        with memoryview(self._buffer) as whole:
            return whole[self._filled : end]

    def took(self, count: int) -> bool:
        """``count`` bytes are in; return whether the buffer is full and must be written."""
        self._filled += count
        if self._filled < len(self._buffer):
            return False
        if len(self._buffer) < self._cap():
            self._buffer.extend(bytes(len(self._buffer)))
            return False
        return True

    def write(self) -> None:
        """Write what is in. Blocks."""
        try:
            with self.content() as content:
                self._store(content)
        finally:
            self._filled = 0  # a part of it may be written: never twice

    def write_on(self, stream: ByteStream, stretch: int) -> Moved:
        """Write what is in; as long as more is there at once, receive that, and write it while the cache still has it.

        At most ``stretch`` more bytes are received. Blocks for a turn.
        """
        moved = Moved()
        enough = min(_WORTH_WRITING, len(self._buffer))
        turn = Turn(_TRIP)
        self.write()
        try:
            while moved.count < stretch and not turn.over:
                with self.room(stretch - moved.count) as room:
                    count = stream.try_recv_into(room)
                if not count:
                    break
                moved.count += count
                self._filled += count
                if self._filled >= enough:
                    self.write()
        except NetClientError as error:
            moved.error = error
        return moved

    def content(self) -> memoryview:
        """Return what is in."""
        with memoryview(self._buffer) as whole:
            return whole[: self._filled]

    def clear(self) -> None:
        """Forget what is in."""
        self._filled = 0


class Moved:
    """What a worker thread has moved: ``count`` bytes, and the ``error`` that ended it."""

    __slots__ = ("count", "error")

    def __init__(self) -> None:
        self.count: int = 0
        self.error: NetClientError | None = None


async def receive_to_file(stream: ByteStream, buffer: FileBuffer, idle: Idle, meter: Meter) -> None:
    """Receive up to the stream's end. What no longer fits is written, the rest stays in ``buffer``.

    A worker thread that has come to write also receives, as long as it need not wait: one core then has the bytes in
    its cache from the socket to the file, which is more than twice as fast as handing them to another one.
    """
    while True:
        with buffer.room(meter.step) as room:
            count = stream.try_recv_into(room)
        if count is None:
            await idle()
            meter.waited()
            continue
        if count == 0:
            return
        full = buffer.took(count)
        await meter.count(count)
        if full:
            await _in_thread(stream, lambda: buffer.write_on(stream, meter.stretch), meter)


async def _in_thread(stream: ByteStream, move: Callable[[], Moved], meter: Meter) -> None:
    """Let a worker thread use the stream, which nobody closes meanwhile; count what it moved."""
    await checkpoint()  # a stream that never has to wait must not outrun its cancellation
    stream.hold()
    try:
        moved = await in_thread(move)
    finally:
        stream.let_go()
    meter.waited()
    if moved.count:
        await meter.count(moved.count)
    if moved.error is not None:
        raise moved.error


# Sending


async def send_from(stream: ByteStream, source: ByteSource, idle: Idle, meter: Meter) -> None:
    """Send everything that ``source`` still has: from memory here, from a file in worker threads."""
    while not source.in_file and (chunk := await source.read()):
        with memoryview(chunk) as view:
            sent = 0
            while sent < len(view):
                limit = meter.step
                with view[sent:] if limit is None else view[sent : sent + limit] as piece:
                    count = stream.try_send(piece)
                if count:
                    sent += count
                    await meter.count(count)
                else:
                    await idle()
                    meter.waited()
    if source.in_file:
        await _send_file(stream, source, idle, meter)
    while stream.unsent:
        stream.try_flush()
        if stream.unsent:
            await idle()


async def _send_file(stream: ByteStream, source: ByteSource, idle: Idle, meter: Meter) -> None:
    sender = _FileSender(stream, source)
    while not sender.done:
        await _in_thread(stream, lambda: sender.send_on(meter.stretch), meter)
        if sender.blocked:
            await idle()
            meter.waited()


class _FileSender:
    """Reads a file and sends it, in worker threads, for a turn at a time."""

    def __init__(self, stream: ByteStream, source: ByteSource) -> None:
        self._stream = stream
        self._source = source
        self._rest = memoryview(b"")
        self.blocked: bool = False
        self.done: bool = False

    def send_on(self, stretch: int) -> Moved:
        """Read and send until that would have to wait, at most ``stretch`` bytes. Blocks for a turn."""
        moved = Moved()
        turn = Turn(_TRIP)
        self.blocked = False
        try:
            while moved.count < stretch and not (moved.count and turn.over):
                if not self._rest:
                    self._rest = self._source.read_file()
                    if not self._rest:
                        self.done = True
                        break
                count = self._stream.try_send(self._rest[: stretch - moved.count])
                self.blocked = not count
                if self.blocked:
                    break
                self._rest = self._rest[count:]
                moved.count += count
        except NetClientError as error:
            moved.error = error
        return moved
