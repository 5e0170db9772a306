"""Single IMAP commands, many of them in one round trip."""

import asyncio
import os

from netclients import MailReader


async def main(url: str, uids: list[int]) -> dict[str, list[str]]:
    async with MailReader(url) as reader, reader.connection() as connection:
        await connection.select("INBOX", readonly=True)
        # Nothing is awaited here, so all commands leave together.
        pending = [connection.uid_fetch(uid, flags=True) for uid in uids]
        found = {}
        for each in pending:
            for message in await each:
                found[message.uid] = sorted(message.flags)
        return found


if __name__ == "__main__":
    print(asyncio.run(main(os.environ["IMAP_URL"], [1, 2, 3])))
