"""Continue an earlier download, and insist on a proof that it is complete."""

import asyncio
import os
from pathlib import Path

from netclients import FTPClient, TruncatedTransfer


async def main(url: str, directory: Path) -> None:
    async with FTPClient(url) as ftp:
        try:
            done = await ftp.download("big.bin", directory / "big.bin", resume=True, verify="strict")
        except TruncatedTransfer as error:
            # big.bin.part stays: the next run goes on where this one ended.
            print(f"{error.received} of {error.expected} bytes came")
            raise
        print(f"{done.size} bytes, of which {done.resumed_from} were there before")


if __name__ == "__main__":
    asyncio.run(main(os.environ["FTP_URL"], Path("downloads")))
