"""Every call of the mail sender once."""

import asyncio
import os
from email.message import EmailMessage

from netclients import (
    DSN,
    MailSender,
    OutcomeUnknown,
    Outgoing,
    PoolLimits,
    RecipientsRefused,
    RetryPolicy,
    Timeouts,
    compose,
)


async def main(url: str) -> None:
    async with MailSender(
        url,
        pipelining="standard",
        limits=PoolLimits(max_connections=4),
        retry=RetryPolicy(attempts=4),
        timeouts=Timeouts(connect=10, reply=30, complete=600),
    ) as sender:
        # What compose makes has its envelope: sender, recipients, and the Bcc that nobody sees.
        message = compose(from_="Ada <ada@example.org>", to=["bob@example.org"], bcc="carl@example.org", text="Hello")
        receipt = await sender.send(message)
        print(receipt.ok, receipt.accepted, receipt.refused, receipt.unknown, receipt.message_id, receipt.seconds)

        # Any message of the email package; an envelope of your own goes before that of the headers.
        made = EmailMessage()
        made["From"] = "ada@example.org"
        made.set_content("Hello")
        await sender.send(made, "bounces@example.org", ["bob@example.org"])

        # Raw bytes, or a path of a file with them, have no envelope. Notifications may be asked for.
        raw = b"From: ada@example.org\r\n\r\nHello\r\n"
        await sender.send(raw, "ada@example.org", "bob@example.org", dsn=DSN(notify=("SUCCESS", "FAILURE"), ret="HDRS"))

        try:
            await sender.send(raw, "ada@example.org", ["nobody@example.org"])
        except RecipientsRefused as error:  # nobody was accepted
            for address, reply in error.receipt.refused.items():
                print(address, reply.code, reply.enhanced, reply.text)
        except OutcomeUnknown as error:  # the reply was lost
            print(error.receipt)

        # Many: receipts as each message ends. Nothing is raised for one of them.
        messages = [message, Outgoing(raw, from_="ada@example.org", to=["bob@example.org"])]
        async with sender.send_many(messages) as receipts:
            async for receipt in receipts:
                print(receipt.index, receipt.ok, receipt.error)

        # One connection: a method for each command.
        async with sender.connection() as c:
            print(c.extensions.domain, c.extensions.size, c.extensions.auth, c.extensions.has("PIPELINING"))
            await c.noop()
            await c.mail("ada@example.org")
            await c.rcpt("bob@example.org")
            reply = await c.data(raw)
            print(reply.code, reply.text)
            await c.rset()
            await c.command("VRFY", "bob")

        print(sender.stats)


if __name__ == "__main__":
    asyncio.run(main(os.environ["SMTP_URL"]))
