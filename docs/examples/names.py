"""Directories, single names, parts of files, small files."""

import asyncio
import os
from pathlib import Path

from netclients import FTPClient, RemoteFileNotFound


async def main(url: str, directory: Path) -> None:
    async with FTPClient(url) as ftp:
        info = await ftp.stat("notes.txt")
        print(info.kind, info.size, info.modified)
        text = await ftp.read_text("notes.txt")
        print(text.splitlines()[0])

        async with ftp.open("big.bin", offset=1000) as file:
            head = await file.read(10)
        print(len(head), "bytes from the middle")

        try:
            await ftp.read_bytes("no such file")
        except RemoteFileNotFound as error:  # also a FileNotFoundError
            print(error.code, error.text)


if __name__ == "__main__":
    asyncio.run(main(os.environ["FTP_URL"], Path("downloads")))
