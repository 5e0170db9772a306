"""Download every file of a directory, eight at a time."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from netclients import FTPClient


async def files_of(ftp: FTPClient, path: str) -> AsyncIterator[str]:
    async with ftp.scandir(path) as entries:
        async for entry in entries:
            if entry.is_file:
                yield entry.path


async def main(url: str, directory: Path) -> None:
    done = failed = 0
    async with FTPClient(url) as ftp:
        async with ftp.download_many(files_of(ftp, "batch"), directory, concurrency=8, resume=True) as items:
            async for item in items:
                if item.error is None:
                    done += 1
                else:
                    failed += 1
                    print(f"{item.source}: {item.error} (attempts: {item.attempts})")
        print(f"{done} files came, {failed} failed, over {ftp.stats.opened} connections")


if __name__ == "__main__":
    asyncio.run(main(os.environ["FTP_URL"], Path("downloads")))
