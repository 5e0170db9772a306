"""One connection, one method a command."""

import asyncio
import os
from pathlib import Path

from netclients import FTPClient


async def main(url: str, directory: Path) -> None:
    async with FTPClient(url) as ftp, ftp.connection() as connection:
        print(connection.welcome)
        print(sorted(connection.features.lines))
        await connection.cwd("batch")
        print(await connection.pwd(), await connection.size("0000.txt"), await connection.mdtm("0000.txt"))

        transfer = await connection.retr("0000.txt")
        buffer = bytearray(65536)
        try:
            while count := await transfer.receive_into(buffer):
                print(count, "bytes")
            print(await transfer.finish(sending=False))
        finally:
            transfer.abort()

        reply = await connection.command("SITE", "HELP")
        print(reply.code)


if __name__ == "__main__":
    asyncio.run(main(os.environ["FTP_URL"], Path("downloads")))
