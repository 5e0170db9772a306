"""Pass a file's bytes to a sink instead of a local file: here, a checksum."""

import asyncio
import hashlib
import os
from pathlib import Path

from netclients import FTPClient


async def main(url: str, directory: Path) -> None:
    digest = hashlib.sha256()
    async with FTPClient(url) as ftp:
        done = await ftp.download("big.bin", sink=digest.update)
    directory.mkdir(exist_ok=True)
    (directory / "SHA256SUMS").write_text(f"{digest.hexdigest()}  big.bin\n")
    print(f"{done.size} bytes, {digest.hexdigest()}")


if __name__ == "__main__":
    asyncio.run(main(os.environ["FTP_URL"], Path("downloads")))
