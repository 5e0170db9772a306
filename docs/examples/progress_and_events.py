"""Follow a transfer by progress, a client by events, and the dialogue by logging."""

import asyncio
import logging
import os
from pathlib import Path

from netclients import Events, FTPClient, Progress


class Watch(Events):
    def __init__(self) -> None:
        self.received = 0

    def retry(self, operation: str, attempt: int, delay: float, error: Exception) -> None:
        print(f"{operation}: attempt {attempt} failed ({error}), next in {delay:.1f} s")

    def bytes_moved(self, connection: int, received: int, sent: int) -> None:
        self.received += received


def show(progress: Progress) -> None:
    if progress.total:
        print(f"\r{progress.source}: {progress.transferred / progress.total:.0%}", end="")


async def main(url: str, directory: Path) -> None:
    watch = Watch()
    async with FTPClient(url, events=watch) as ftp:
        await ftp.download("big.bin", directory / "big.bin", progress=show)
    print(f"\n{watch.received} bytes were received")


if __name__ == "__main__":
    # The dialogue with the server, secrets as ***:
    logging.basicConfig()
    logging.getLogger("netclients.ftp").setLevel(logging.DEBUG)
    asyncio.run(main(os.environ["FTP_URL"], Path("downloads")))
