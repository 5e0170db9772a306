"""Download one file, and look at what came."""

import asyncio
import os
from pathlib import Path

from netclients import FTPClient


async def main(url: str, directory: Path) -> None:
    async with FTPClient(url) as ftp:
        done = await ftp.download("notes.txt", directory / "notes.txt")
        print(f"{done.path}: {done.size} bytes, complete: {done.verified}")

        async with ftp.scandir("batch") as entries:
            async for entry in entries:
                print(entry.name, entry.size, entry.modified)


if __name__ == "__main__":
    asyncio.run(main(os.environ["FTP_URL"], Path("downloads")))
