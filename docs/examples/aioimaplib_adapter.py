"""Code that was written for aioimaplib, over connections of this library."""

import asyncio
import os

import aioimaplib

from netclients import RetryPolicy, Timeouts
from netclients.interop.aioimaplib import aioimaplib_client


async def count(client: aioimaplib.IMAP4, mailbox: str) -> int:
    """This is the code that you have: it knows nothing of netclients."""
    await client.select(mailbox)
    answer = await client.uid_search("ALL", charset=None)
    return len(answer.lines[0].split())


async def main(url: str) -> int:
    async with aioimaplib_client(url, timeouts=Timeouts(reply=30), retry=RetryPolicy(attempts=3)) as client:
        return await count(client, "INBOX")


if __name__ == "__main__":
    print(asyncio.run(main(os.environ["IMAP_URL"])))
