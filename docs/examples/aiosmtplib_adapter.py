"""Code that was written for aiosmtplib, over connections of this library."""

import asyncio
import os
from email.message import EmailMessage

import aiosmtplib

from netclients import RetryPolicy, Timeouts
from netclients.interop.aiosmtplib import aiosmtplib_client


async def greet(client: aiosmtplib.SMTP, names: list[str]) -> None:
    """This is the code that you have: it knows nothing of netclients."""
    for name in names:
        message = EmailMessage()
        message["From"], message["To"] = "ada@example.org", f"{name}@example.org"
        message["Subject"] = "Hello"
        message.set_content(f"Dear {name}, hello.\n")
        await client.send_message(message)


async def main(url: str) -> None:
    async with aiosmtplib_client(url, timeouts=Timeouts(reply=30), retry=RetryPolicy(attempts=3)) as client:
        await greet(client, ["bob", "carl"])


if __name__ == "__main__":
    asyncio.run(main(os.environ["SMTP_URL"]))
