"""Every call of the mail reader once."""

import asyncio
import os
from pathlib import Path

from netclients import MailReader, PoolLimits, Q, RetryPolicy, Timeouts, compose


async def main(url: str, directory: Path) -> None:
    async with MailReader(
        url,
        compress=False,
        limits=PoolLimits(max_connections=4),
        retry=RetryPolicy(attempts=4),
        timeouts=Timeouts(connect=10, reply=30, complete=600),
    ) as reader:
        # Mailboxes.
        async with reader.list_mailboxes("*", status=["MESSAGES", "UNSEEN"]) as mailboxes:
            async for info in mailboxes:
                print(info.name, info.delimiter, info.attributes, info.special_use, info.status)
        await reader.create_mailbox("Work")
        await reader.rename_mailbox("Work", "Office")
        await reader.subscribe("Office")
        await reader.subscribe("Office", on=False)
        print(await reader.special_mailbox("\\Sent"), await reader.namespaces(), await reader.quota())

        async with reader.mailbox("INBOX") as box:
            print(box.exists, box.uid_validity, box.uid_next, box.highest_modseq, box.flags, box.permanent_flags)

            # Writing into it.
            message = compose(
                from_="ada@example.org", to="bob@example.org", subject="Report", text="Hi",
                attachments=[("figures.csv", b"a,b\n", "text/csv")],
            )  # fmt: skip
            uid = await box.append(message, flags=["\\Draft"])
            await box.append_many([message, b"Subject: Raw\r\n\r\nHello\r\n"])
            await box.refresh()

            # Finding.
            uids = await box.search(Q(subject="report") | Q(larger=1000), draft=True)
            assert uid in uids
            print(await box.sort("-date"), await box.thread("REFERENCES"))

            # Reading.
            async with box.fetch("1:*", flags=True, size=True, internal_date=True, envelope=True) as messages:
                async for m in messages:
                    print(m.uid, m.flags, m.size, m.internal_date, m.envelope.subject)
            async with box.fetch(uids, headers=["Message-ID"], body=True) as messages:
                async for m in messages:
                    print(len(m.raw), m.extra)
            print((await box.read(uid))["Subject"])
            async with box.read_many(uids) as items:
                async for item in items:
                    print(item.uid, item.error, item.message["Subject"])
            async with box.stream(uid, part="2") as chunks:
                async for chunk in chunks:
                    print(chunk)
            print(await box.save_attachments(uid, directory))

            # Changing.
            await box.store(uids, add=["\\Seen"], remove=["\\Draft"])
            left_alone = await box.store(uids, add=["\\Flagged"], unchanged_since=box.highest_modseq)
            print("changed by somebody else meanwhile:", left_alone)
            copied = await box.copy(uids, "Office")
            moved = await box.move(uids[:1], "Office")
            deleted = await box.delete(uids[1:])
            print(copied.uids, moved.expunged, deleted.expunged)
            await box.expunge_all()  # whatever anybody has marked as deleted

        # Single commands.
        async with reader.connection() as connection:
            print(await connection.id({"name": "example"}), await connection.status("Office", ["MESSAGES"]))
        await reader.delete_mailbox("Office")
        print(reader.stats)


if __name__ == "__main__":
    asyncio.run(main(os.environ["IMAP_URL"], Path("attachments")))
