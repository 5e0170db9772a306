"""TLS over any byte stream: the handshake, the records, the close alert.

The ``ssl`` module's memory BIOs do the work without I/O; this file moves ciphertext between them and the
stream below. That gives what no event loop's own TLS has: a session to resume for FTP's data connections,
and the knowledge whether the peer really said goodbye.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from socket import socket as Socket  # noqa: N812 - the property below is called socket
from typing import TYPE_CHECKING, cast

from netclients.errors import ConnectionLost, PhaseTimeout, TLSError, TransportError
from netclients.transport.readiness import Deadline
from netclients.transport.stream import Buffer, ByteStream, SocketStream

if TYPE_CHECKING:
    from netclients.wire.sasl import ChannelBinding

__all__ = ["Scratch", "TLSStream"]

_RECORDS = 256 * 1024  # plaintext encrypted at once: bounds what waits behind a slow peer
_CIPHERTEXT = 256 * 1024  # received at once
_FAREWELL_READS = 64  # records, or fillings of the buffer, that are read away before we close


class Scratch(threading.local):
    """Memory for the length of one call: each thread has its own."""

    def __init__(self) -> None:
        self.records: bytearray = bytearray(_CIPHERTEXT)


class TLSStream(ByteStream):
    """The client's side of TLS. Made by :meth:`connect`.

    ``scratch`` takes ciphertext for the length of one call, so all streams of a client may share it.
    """

    __slots__ = (
        "_alert_received",
        "_broken",
        "_closing",
        "_incoming",
        "_object",
        "_outgoing",
        "_pending",
        "_scratch",
        "_stream",
    )

    def __init__(
        self,
        stream: SocketStream,
        context: ssl.SSLContext,
        server_hostname: str,
        scratch: Scratch,
        session: ssl.SSLSession | None = None,
    ) -> None:
        self._stream = stream
        self._scratch = scratch
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._pending = memoryview(b"")
        self._alert_received = False
        self._closing = False
        self._broken = False
        try:
            self._object = context.wrap_bio(
                self._incoming, self._outgoing, server_hostname=server_hostname, session=session
            )
        except (ssl.SSLError, ValueError) as error:
            raise TLSError(f"TLS with {server_hostname}: {error}") from error

    # Handshake

    async def handshake(self, timeout: float | None) -> None:
        """Agree on keys and check the certificate within ``timeout`` seconds.

        Raises:
            TLSError: the peer is not to be trusted, or does not speak TLS.
            ConnectionLost: it hung up.
            PhaseTimeout: phase ``handshake``.
        """
        with Deadline(timeout, "handshake") as deadline:
            while not self.try_handshake():
                await self.wait(read=True, write=self.unsent, timeout=deadline.left(), phase="handshake")

    def try_handshake(self) -> bool:
        """Go as far as the bytes at hand allow; return whether the handshake is complete."""
        while True:
            try:
                self._object.do_handshake()
            except ssl.SSLWantReadError:
                self.try_flush()
                count = self._receive_records()
                if count is None:
                    return False
                if count == 0:
                    raise ConnectionLost(f"{self.peer} closed the connection during the TLS handshake") from None
            except ssl.SSLError as error:
                self._flush_alert()
                raise TLSError(f"TLS handshake with {self.peer}: {_reason(error)}") from error
            else:
                self.try_flush()
                return True

    def _flush_alert(self) -> None:
        try:
            self.try_flush()
        except TransportError:
            return  # the alert is a courtesy; the handshake error is what the caller needs

    # What was agreed

    @property
    def session(self) -> ssl.SSLSession | None:
        """The newest session that this connection can offer for resumption."""
        return self._object.session

    @property
    def session_reused(self) -> bool:
        """Whether the handshake resumed the session that was offered."""
        return bool(self._object.session_reused)

    @property
    def version(self) -> str | None:
        """``"TLSv1.3"`` and the like."""
        return self._object.version()

    def channel_bindings(self) -> tuple[ChannelBinding, ...]:
        """Return what a login can be tied to this connection by (RFC 5056), best first; nothing before the handshake.

        That is ``tls-unique`` (RFC 5929 section 3). OpenSSL computes it for TLS 1.3 too and Cyrus takes it there, but
        RFC 9266 wants ``tls-exporter``, which the ssl module can't do: there it is doubtful.
        """
        # Imported when used: FTP has no SASL, and should not load it.
        from netclients.wire.sasl import ChannelBinding

        finished = self._object.get_channel_binding("tls-unique")
        return (ChannelBinding("tls-unique", finished, doubtful=self.version == "TLSv1.3"),) if finished else ()

    @property
    def peer(self) -> str:
        """The address of the stream below."""
        return self._stream.peer

    @property
    def local_address(self) -> str | None:
        """See :attr:`ByteStream.local_address`."""
        return self._stream.local_address

    @property
    def socket(self) -> Socket:
        """The socket of the stream below."""
        return self._stream.socket

    # Receiving

    def try_recv_into(self, buffer: bytearray | memoryview) -> int | None:
        """See :meth:`ByteStream.try_recv_into`. The end is told apart by :attr:`closed_cleanly`."""
        filled = 0
        size = len(buffer)
        # The stubs only know the form without a buffer, which returns bytes.
        read = cast("Callable[[int, memoryview], int]", self._object.read)
        with memoryview(buffer) as view:
            while filled < size:
                room = view[filled:]
                try:
                    count = read(size - filled, room)
                except ssl.SSLWantReadError:
                    if filled:
                        break
                    self.try_flush()
                    received = self._receive_records()
                    if received is None:
                        return None
                    if received == 0:
                        return 0
                except ssl.SSLZeroReturnError:
                    self._alert_received = True
                    break
                except ssl.SSLError as error:
                    raise ConnectionLost(f"TLS with {self.peer}: {_reason(error)}") from error
                else:
                    if count == 0:
                        self._alert_received = True
                        break
                    filled += count
                finally:
                    # An error's traceback must not keep the caller's buffer from growing.
                    room.release()
        return filled

    def _receive_records(self) -> int | None:
        records = self._scratch.records
        count = self._stream.try_recv_into(records)
        if count:
            with memoryview(records) as view:
                self._incoming.write(view[:count])
        return count

    @property
    def closed_cleanly(self) -> bool:
        """Whether the peer's close alert has come (RFC 8446 section 6.1)."""
        return self._alert_received

    # Sending

    def try_send(self, data: Buffer) -> int:
        """See :meth:`ByteStream.try_send`. At most 256 KiB are taken at a time."""
        self.try_flush()
        if self.unsent or not data:
            return 0
        try:
            with memoryview(data) as view:
                count = self._object.write(view[:_RECORDS])
        except ssl.SSLError as error:
            raise ConnectionLost(f"TLS with {self.peer}: {_reason(error)}") from error
        self.try_flush()
        return count

    @property
    def unsent(self) -> bool:
        """Whether ciphertext waits for the network."""
        return bool(self._pending) or bool(self._outgoing.pending)

    def try_flush(self) -> None:
        """See :meth:`ByteStream.try_flush`."""
        while self.unsent:
            if not self._pending:
                self._pending = memoryview(self._outgoing.read())
            count = self._stream.try_send(self._pending)
            self._pending = self._pending[count:]
            if count == 0:
                return

    # Closing

    @property
    def secured(self) -> bool:
        """See :attr:`ByteStream.secured`."""
        return True

    def try_close(self) -> bool:
        """Send the close alert and look for the peer's; return whether both are done (or the peer is gone).

        Data that still comes is read away: bytes left unread would make the kernel reset the connection, and the
        peer lose what was sent to it (curl#6149, proftpd#744).
        """
        if not self._closing:
            # OpenSSL can't say goodbye while application data stands before the peer's alert.
            self._closing = True
            self._read_away()
        while not self._broken:
            try:
                self._object.unwrap()
            except ssl.SSLWantReadError:
                self.try_flush()
                received = self._receive_records()
                if not received:
                    return received == 0
            except ssl.SSLError:
                self._broken = True
            else:
                self._alert_received = True
                self.try_flush()
                return not self.unsent
        records = self._scratch.records
        while count := self._stream.try_recv_into(records):
            if count < len(records):
                break
        return count == 0

    def _read_away(self) -> None:
        for _ in range(_FAREWELL_READS):
            try:
                if self._object.read(_RECORDS):
                    continue
                self._alert_received = True
            except ssl.SSLWantReadError:
                if self._receive_records():
                    continue
            except ssl.SSLZeroReturnError:
                self._alert_received = True
            except ssl.SSLError:
                self._broken = True
            return

    async def aclose(self, timeout: float | None = None) -> None:
        """Exchange close alerts for at most ``timeout`` seconds, then close."""
        try:
            with Deadline(timeout, "handshake") as deadline:
                while not self.try_close():
                    await self.wait(read=True, write=self.unsent, timeout=deadline.left(), phase="handshake")
        except (TransportError, PhaseTimeout):
            return  # a peer that is gone or silent needs no farewell
        finally:
            self.abort()

    def send_eof(self) -> None:
        """Half-close the stream below, after the close alert."""
        self._stream.send_eof()

    def abort(self) -> None:
        """See :meth:`ByteStream.abort`."""
        self._stream.abort()

    def hold(self) -> None:
        """A task waits on the socket."""
        self._stream.hold()

    def let_go(self) -> None:
        """A task no longer waits on the socket."""
        self._stream.let_go()


def _reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    return error.reason or str(error)
