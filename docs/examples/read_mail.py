"""Find messages, look at them, and mark those that were dealt with."""

import asyncio
import os
from datetime import date

from netclients import MailReader, Q


async def main(url: str) -> list[str]:
    subjects = []
    async with MailReader(url) as reader, reader.mailbox("INBOX") as box:
        query = Q(unseen=True) & (Q(from_="boss@") | Q(subject="urgent")) & ~Q(deleted=True)
        uids = await box.search(query, since=date(2026, 1, 1))
        async with box.fetch(uids, flags=True, size=True, envelope=True) as messages:
            async for message in messages:
                sender = message.envelope.from_[0]
                print(message.uid, message.size, sender.address, message.envelope.subject)
                subjects.append(message.envelope.subject or "")
                # Commands within the loop are fine: what is yielded has been read to its end.
                await box.store(message.uid, add=["\\Seen"])
    return subjects


if __name__ == "__main__":
    asyncio.run(main(os.environ["IMAP_URL"]))
