"""Send a message, and look at its receipt."""

import asyncio
import os

from netclients import MailSender, compose


async def main(url: str) -> None:
    message = compose(
        from_="Ada <ada@example.org>",
        to=["Bob <bob@example.org>"],
        subject="Hi",
        text="Hello",
        attachments=[("numbers.csv", b"1,2\n3,4\n", "text/csv")],
    )
    async with MailSender(url) as sender:
        receipt = await sender.send(message)
        print(receipt.accepted, receipt.refused)


if __name__ == "__main__":
    asyncio.run(main(os.environ["SMTP_URL"]))
