"""Upload a directory's files, eight at a time."""

import asyncio
import os
from pathlib import Path

from netclients import FTPClient


async def main(url: str, directory: Path) -> None:
    outbox = directory / "outbox"
    outbox.mkdir(parents=True, exist_ok=True)
    for number in range(20):
        (outbox / f"{number}.txt").write_text(f"{number}\n")
    files = sorted(outbox.iterdir())
    async with FTPClient(url) as ftp, ftp.upload_many(files, "inbox/outbox") as items:
        async for item in items:
            item.raise_for_error()
            print(item.source, "→", item.path)


if __name__ == "__main__":
    asyncio.run(main(os.environ["FTP_URL"], Path("downloads")))
