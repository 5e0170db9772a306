"""The same client on trio."""

import os
from pathlib import Path

import trio

from netclients import FTPClient


async def main(url: str, directory: Path) -> None:
    names = ["batch/0000.txt", "batch/0001.txt"]
    # Streams with workers behind them want `async with` on trio.
    async with FTPClient(url) as ftp, ftp.download_many(names, directory) as items:
        async for item in items:
            item.raise_for_error()


if __name__ == "__main__":
    trio.run(main, os.environ["FTP_URL"], Path("downloads"))
