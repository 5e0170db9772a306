"""Move what is old into the archive, and delete what is junk: these messages and no others."""

import asyncio
import os
from datetime import timedelta

from netclients import MailReader, OutcomeUnknown


async def main(url: str) -> None:
    async with MailReader(url) as reader:
        archive = await reader.special_mailbox("\\Archive")
        if archive is None:
            raise SystemExit("the server marks no mailbox as the archive")
        async with reader.mailbox("INBOX") as box:
            old = await box.search(older=timedelta(days=365), flagged=False)
            if old:
                try:
                    moved = await box.move(old, archive.name)
                except OutcomeUnknown as error:
                    print("moved, or not; look before you try again:", error)
                else:
                    print(len(old), "moved; new UIDs:", [int(uid) for uid in moved.uids.values()])
            junk = await box.search(subject="lottery")
            if junk and not (await box.delete(junk)).expunged:
                print("marked as deleted: this server can't expunge single messages")


if __name__ == "__main__":
    asyncio.run(main(os.environ["IMAP_URL"]))
