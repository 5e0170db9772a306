"""Standard output and input as the ends of transfers.

Both may block for ever, so they are read and written in threads that are left behind when the command is
interrupted; the loop stays awake meanwhile.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from anyio import to_thread

from netclients.cli.credentials import Credentials
from netclients.cli.failures import combine, complain, exit_code
from netclients.cli.targets import parse_target, read_urls
from netclients.errors import ConfigurationError, LocalFileError, NetClientError

if TYPE_CHECKING:
    from netclients.cli.session import Session
    from netclients.cli.targets import Target
    from netclients.config import Endpoint
    from netclients.ftp.client import FTPClient

__all__ = ["print_files", "standard_input", "write_out"]

_CHUNK = 256 * 1024


def print_files(
    session: Session, urls: Sequence[str], url_list: str | None, *, resume: bool
) -> Coroutine[Any, Any, int]:
    """Plan to write files to standard output, one after the other; what is returned does it.

    Raises:
        ConfigurationError: the arguments make no sense.
    """
    session.check()
    if sys.stdout is None:
        raise ConfigurationError("standard output is closed")
    if session.json or resume:
        raise ConfigurationError(f"{'--json' if session.json else '--resume'} does not go with standard output")
    credentials = Credentials()
    targets = [parse_target(url, credentials) for url in read_urls(urls, url_list)]
    for target in targets:
        _ = target.name
    return _print(session, targets)


async def _print(session: Session, targets: Sequence[Target]) -> int:
    codes = []
    async with AsyncExitStack() as stack:
        clients: dict[Endpoint, FTPClient] = {}
        for target in targets:
            if target.server not in clients:
                client = session.client(target.server)
                clients[target.server] = await stack.enter_async_context(client)
            codes.append(await _print_one(clients[target.server], target))
    return combine(codes)


async def _print_one(client: FTPClient, target: Target) -> int:
    try:
        await client.download(target.path, sink=write_out)
    except NetClientError as error:
        complain(error, target.shown)
        return exit_code(error)
    return 0


async def write_out(data: bytes | memoryview) -> None:
    """Write to standard output."""
    # A copy: a view ends with this call, the thread may outlive it.
    await to_thread.run_sync(_write_out, bytes(data), abandon_on_cancel=True)


def _write_out(data: bytes) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise LocalFileError(f"can't write to standard output: {error.strerror}", errno=error.errno) from error


async def standard_input() -> AsyncIterator[bytes]:
    """Yield what comes in, as it comes."""
    source = sys.stdin.buffer
    read = getattr(source, "read1", source.read)
    while chunk := await to_thread.run_sync(read, _CHUNK, abandon_on_cancel=True):
        yield chunk
