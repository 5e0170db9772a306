"""Upload from a path, from memory, and from a generator; then change names."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from netclients import FTPClient


async def rows() -> AsyncIterator[bytes]:
    for number in range(1000):
        yield f"{number},{number * number}\n".encode()


async def main(url: str, directory: Path) -> None:
    directory.mkdir(exist_ok=True)
    (directory / "report.txt").write_text("All is well.\n")
    async with FTPClient(url) as ftp:
        await ftp.makedirs("inbox/2026")
        await ftp.upload(directory / "report.txt", "inbox/2026/report.txt")
        await ftp.upload(b"{}", "inbox/2026/state.json")
        done = await ftp.upload(rows(), "inbox/2026/squares.csv")
        print(f"{done.path}: {done.size} bytes, size checked: {done.verified}")

        await ftp.rename("inbox/2026/report.txt", "inbox/2026/report-1.txt")
        await ftp.remove("inbox/2026/state.json")
        assert not await ftp.exists("inbox/2026/state.json")


if __name__ == "__main__":
    asyncio.run(main(os.environ["FTP_URL"], Path("downloads")))
