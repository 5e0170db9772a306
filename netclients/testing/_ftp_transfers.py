"""What travels over the data connections of the embedded FTP server: files and listings."""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

from aioftp.common import Connection

from ._channel import READ_SIZE, Channel
from ._ftp_commands import facts_of, ls_line
from ._ftp_data import CutError, DataConnections
from ._ftp_session import Session
from .ftp_faults import CutData

_YIELD_EVERY = 1 << 20


class Transfers(DataConnections):
    """Adds RETR, STOR, APPE, the listings, STAT and ABOR."""

    # Files

    async def do_retr(self, connection: Connection, rest: str) -> bool:
        """RETR, from the offset of REST."""
        session: Session = connection.session
        real, _ = self.get_paths(connection, rest)
        with real.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if session.offset > size:
                session.reply("554", "REST is behind the end of the file.")
                return True
            file.seek(session.offset)
            cut = self.faults.at_transfer("RETR", rest, size - session.offset)

            async def blocks() -> AsyncGenerator[bytes, None]:
                tail = b""
                while block := file.read(READ_SIZE):
                    if session.ascii:
                        block, tail = _to_crlf(tail + block)
                    yield block
                if tail:
                    yield tail

            async with contextlib.aclosing(blocks()) as source:
                await self.transfer(session, rest, lambda channel: self._send(channel, source, cut))
        return True

    async def _send(
        self, channel: Channel, source: AsyncGenerator[bytes, None], cut: tuple[CutData, int] | None
    ) -> None:
        left = cut[1] if cut else None
        unyielded = 0
        async for block in source:
            if left is not None:
                block = block[:left]
                left -= len(block)
            await channel.send(block)
            self.counters.bytes_sent += len(block)
            if cut and not left:
                raise CutError(cut[0])
            unyielded += len(block)
            if unyielded > _YIELD_EVERY:
                unyielded = 0
                await asyncio.sleep(0)  # a socket that takes everything at once never suspends
        await channel.send_close_alert()

    async def do_stor(self, connection: Connection, rest: str, mode: str = "wb") -> bool:
        """STOR, from the offset of REST."""
        session: Session = connection.session
        real, _ = self.get_paths(connection, rest)
        if real.is_dir():
            session.reply("550", "That is a directory.")
            return True
        verb = "APPE" if mode == "ab" else "STOR"
        cut = self.faults.at_transfer(verb, rest, None)
        try:
            file = real.open("r+b" if session.offset and real.exists() else mode)
        except OSError as error:
            session.reply("553", f"Can't create the file: {error.strerror}.")
            return True
        with file:
            if session.offset and mode != "ab":
                file.seek(session.offset)
                file.truncate()

            async def work(channel: Channel) -> None:
                await self._receive(session, channel, file.write, cut)
                file.flush()

            await self.transfer(session, rest, work)
        return True

    async def do_appe(self, connection: Connection, rest: str) -> bool:
        """APPE."""
        return await self.do_stor(connection, rest, "ab")

    async def _receive(
        self,
        session: Session,
        channel: Channel,
        write: Callable[[bytes], object],
        cut: tuple[CutData, int] | None,
    ) -> None:
        left = cut[1] if cut else READ_SIZE
        unyielded = 0
        carry = b""
        while block := await channel.recv(min(READ_SIZE, max(left, 1))):
            if cut:
                block = block[:left]
                left -= len(block)
            self.counters.bytes_received += len(block)
            if session.ascii:
                block, carry = _from_crlf(carry + block)
            write(block)
            if cut and not left:
                raise CutError(cut[0])
            unyielded += len(block)
            if unyielded > _YIELD_EVERY:
                unyielded = 0
                await asyncio.sleep(0)
        write(carry)
        if channel.truncated and self.require_close_alert:
            raise ConnectionResetError("no TLS close alert")
        with contextlib.suppress(OSError):
            await channel.send_close_alert()  # the file is complete, whether the peer still listens or not

    # Listings

    async def do_list(self, connection: Connection, rest: str) -> bool:
        """LIST, in the manner of ``ls -l``; options are ignored."""
        real, _ = self.get_paths(connection, _without_options(rest))
        await self._send_listing(connection, "LIST", rest, _list_lines(real))
        return True

    async def do_nlst(self, connection: Connection, rest: str) -> bool:
        """NLST: names, with the directory in front if one was given."""
        name = _without_options(rest)
        real, _ = self.get_paths(connection, name)
        prefix = f"{name.rstrip('/')}/" if name else ""
        directory = stat.S_ISDIR(real.stat().st_mode)
        lines = [prefix + entry.name for entry in _entries(real)] if directory else [name]
        await self._send_listing(connection, "NLST", rest, lines)
        return True

    async def do_mlsd(self, connection: Connection, rest: str) -> bool:
        """MLSD (RFC 3659), with entries for the directory itself and its parent."""
        real, _ = self.get_paths(connection, rest)
        facts = connection.session.facts
        if not stat.S_ISDIR(real.stat().st_mode):
            connection.session.reply("501", "Not a directory.")
            return True
        lines = [f"{facts_of(real, facts, 'cdir')} .", f"{facts_of(real, facts, 'pdir')} .."]
        lines += [f"{facts_of(entry, facts, None)} {entry.name}" for entry in _entries(real)]
        await self._send_listing(connection, "MLSD", rest, lines)
        return True

    async def _send_listing(self, connection: Connection, verb: str, argument: str, lines: Sequence[str]) -> None:
        session: Session = connection.session
        data = "".join(f"{line}\r\n" for line in lines).encode(session.encoding, "surrogateescape")
        cut = self.faults.at_transfer(verb, argument, len(data))

        async def blocks() -> AsyncGenerator[bytes, None]:
            for start in range(0, len(data), READ_SIZE):
                yield data[start : start + READ_SIZE]

        async with contextlib.aclosing(blocks()) as source:
            await self.transfer(session, "a listing", lambda channel: self._send(channel, source, cut))

    async def do_stat(self, connection: Connection, rest: str) -> bool:
        """STAT: about the session, or a listing of a path on the control connection."""
        if rest:
            real, _ = self.get_paths(connection, _without_options(rest))
            connection.session.reply("213", ["Status:", *_list_lines(real), "End"], True)
        else:
            connection.session.reply("211", ["Status:", "No transfer is running.", "End"], True)
        return True

    async def do_abor(self, connection: Connection, rest: str) -> bool:
        """ABOR without a transfer; during one the dispatcher acts."""
        connection.session.forget_data()
        connection.session.reply("226", "Nothing to abort.")
        return True


def _without_options(argument: str) -> str:
    """Drop ``-la`` and the like in front of a path."""
    while argument.startswith("-"):
        argument = argument.partition(" ")[2]
    return argument


def _entries(directory: Path) -> list[Path]:
    return sorted(directory.iterdir())


def _list_lines(path: Path) -> list[str]:
    if stat.S_ISDIR(path.stat().st_mode):
        return [ls_line(entry, entry.name) for entry in _entries(path)]
    return [ls_line(path, path.name)]


def _to_crlf(block: bytes) -> tuple[bytes, bytes]:
    """Return `block` with CRLF line ends, and a trailing CR, which waits for what follows it."""
    block, tail = (block[:-1], b"\r") if block.endswith(b"\r") else (block, b"")
    return block.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), tail


def _from_crlf(block: bytes) -> tuple[bytes, bytes]:
    """Return `block` with LF line ends, and a trailing CR, which waits for what follows it."""
    block, tail = (block[:-1], b"\r") if block.endswith(b"\r") else (block, b"")
    return block.replace(b"\r\n", b"\n"), tail
