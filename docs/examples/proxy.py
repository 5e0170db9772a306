"""Through a SOCKS5 or HTTP CONNECT proxy."""

import asyncio
import os
from pathlib import Path

from netclients import FTPClient


async def main(url: str, directory: Path, proxy: str) -> None:
    # socks5://user:password@proxy.example.org:1080, or http://proxy.example.org:3128
    async with FTPClient(url, proxy=proxy) as ftp:
        await ftp.download("notes.txt", directory / "notes.txt")


if __name__ == "__main__":
    asyncio.run(main(os.environ["FTP_URL"], Path("downloads"), os.environ["PROXY_URL"]))
