"""Every call of the FTP API once."""

import asyncio
import hashlib
import os
from pathlib import Path

from netclients import FTPClient, PoolLimits, RetryPolicy, Timeouts


async def main(url: str, directory: Path) -> None:
    local = directory / "local.bin"
    directory.mkdir(exist_ok=True)
    local.write_bytes(b"local")
    hasher = hashlib.sha256()
    async with FTPClient(
        url,
        tls="none",
        limits=PoolLimits(max_connections=8),
        retry=RetryPolicy(attempts=4),
        timeouts=Timeouts(connect=10, reply=30, stall=30),
        limit_rate=None,
    ) as ftp:
        done = await ftp.download(
            "big.bin",
            directory / "out/big.bin",
            resume=True,
            segments=1,
            verify="size",
            progress=lambda p: print(p.transferred, p.total),
        )
        print(done.path, done.size, done.seconds, done.resumed_from, done.verified)

        await ftp.download("big.bin", sink=hasher.update)
        await ftp.upload(local, "remote.bin", atomic=True, resume=False)
        data = await ftp.read_bytes("notes.txt")
        text = await ftp.read_text("notes.txt", encoding="utf-8")
        print(len(data), len(text))

        async with ftp.open("big.bin", "rb", offset=100) as f:
            head = await f.read(10)
            async for chunk in f:
                head += chunk[:1]

        async with ftp.scandir("batch") as entries:
            async for entry in entries:
                print(entry.name, entry.path, entry.kind, entry.size, entry.modified)
                print(entry.mode, entry.facts, entry.raw_name)
        info = await ftp.stat("big.bin")
        there = await ftp.exists("big.bin")
        print(info.size, there)

        async for item in ftp.download_many(["batch/0000.txt", "notes.txt"], directory / "dest", concurrency=8):
            print(item.source, item.path, item.size, item.attempts, item.error)
            item.raise_for_error()

        await ftp.makedirs("x/y/z")
        await ftp.rename("remote.bin", "b")
        await ftp.remove("b")

        async with ftp.connection() as c:
            await c.pwd()
            await c.cwd("batch")
            await c.size("0000.txt")
            await c.command("SITE", "HELP")
        print(ftp.stats)


if __name__ == "__main__":
    asyncio.run(main(os.environ["FTP_URL"], Path("downloads")))
