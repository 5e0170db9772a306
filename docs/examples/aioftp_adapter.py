"""Code that was written for aioftp, over connections of this library."""

import asyncio
import os
from pathlib import Path

import aioftp

from netclients import RetryPolicy, Timeouts
from netclients.interop.aioftp import aioftp_client


async def fetch_all(client: aioftp.Client, directory: Path) -> None:
    """This is the code that you have: it knows nothing of netclients."""
    for path, info in await client.list("batch"):
        if info["type"] == "file" and path.name < "0010":
            await client.download(path, directory / path.name, write_into=True)


async def main(url: str, directory: Path) -> None:
    async with aioftp_client(url, timeouts=Timeouts(stall=30), retry=RetryPolicy(attempts=3)) as client:
        await fetch_all(client, directory)


if __name__ == "__main__":
    asyncio.run(main(os.environ["FTP_URL"], Path("downloads")))
