"""Say how long to wait in each phase, and tell the phases apart when one runs out."""

import asyncio
import os
from pathlib import Path

from netclients import FTPClient, PhaseTimeout, Timeouts


async def main(url: str, directory: Path) -> None:
    async with FTPClient(url, timeouts=Timeouts(connect=5, reply=20, stall=30)) as ftp:
        try:
            # The limits above are for single waits; this one is for the whole job.
            async with asyncio.timeout(600):
                await ftp.download("big.bin", directory / "big.bin")
        except PhaseTimeout as error:
            print(f"nothing for {error.seconds} s while waiting for: {error.phase}")
            raise


if __name__ == "__main__":
    asyncio.run(main(os.environ["FTP_URL"], Path("downloads")))
