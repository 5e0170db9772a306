"""Be gentle with a server, and patient with a network."""

import asyncio
import os
from pathlib import Path

from netclients import FTPClient, PoolLimits, RetryPolicy


async def main(url: str, directory: Path) -> None:
    async with FTPClient(
        url,
        limits=PoolLimits(max_connections=3, idle_timeout=30),
        retry=RetryPolicy(attempts=6, total=300, initial=1, maximum=60),
        limit_rate=50_000_000,
    ) as ftp:
        await ftp.download("big.bin", directory / "big.bin", limit_rate=20_000_000)
        stats = ftp.stats
        print(f"open {stats.open}, idle {stats.idle}, limit {stats.limit}, opened {stats.opened}")


if __name__ == "__main__":
    asyncio.run(main(os.environ["FTP_URL"], Path("downloads")))
