"""Save attachments; read a large part piece by piece; take whole messages as they come."""

import asyncio
import hashlib
import os
from pathlib import Path

from netclients import Mailbox, MailReader


async def main(url: str, directory: Path) -> None:
    async with MailReader(url) as reader, reader.mailbox("INBOX", readonly=True) as box:
        async with box.read_many(await box.search(larger=10_000)) as messages:
            async for item in messages:
                if item.error is None:
                    print(item.uid, len(item.raw), item.message["Subject"])
        for uid in await box.search(subject="report"):
            for path in await box.save_attachments(uid, directory):
                print("saved", path.name)
            await checksums(box, uid)


async def checksums(box: Mailbox, uid: str) -> None:
    """Read every attachment without having all of it in memory."""
    async with box.fetch(uid, structure=True) as messages:
        async for message in messages:
            for part in message.structure.walk():
                if part.disposition != "attachment":
                    continue
                digest = hashlib.sha256()
                async with box.stream(uid, part.part) as chunks:
                    async for chunk in chunks:
                        digest.update(chunk)
                print(part.part, part.content_type, part.filename, digest.hexdigest())


if __name__ == "__main__":
    asyncio.run(main(os.environ["IMAP_URL"], Path("attachments")))
