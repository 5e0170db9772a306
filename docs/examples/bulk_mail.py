"""A letter to each subscriber, over four connections, and a list of what became of each."""

import asyncio
import csv
import os
from collections.abc import Iterator
from pathlib import Path

from netclients import MailSender, Message, PoolLimits, RetryPolicy, compose


def letters(subscribers: list[str]) -> Iterator[Message]:
    for address in subscribers:
        yield compose(
            from_="News <news@example.org>",
            to=[address],
            subject="November",
            text="What is new.\n",
            headers={"List-Unsubscribe": "<https://example.org/unsubscribe>"},
        )


PATIENT = RetryPolicy(attempts=6, total=3600, initial=60, maximum=900)


async def main(url: str, subscribers: list[str], results: Path, retry: RetryPolicy = PATIENT) -> None:
    limits = PoolLimits(max_connections=4)
    async with MailSender(url, limits=limits, retry=retry, limit_rate=2_000_000) as sender:
        with results.open("w", newline="") as file:
            table = csv.writer(file)
            async with sender.send_many(letters(subscribers)) as receipts:
                async for receipt in receipts:
                    if receipt.ok:
                        state = "accepted"
                    elif receipt.unknown:
                        state = "unknown"  # it may have arrived: don't send it again unasked
                    elif receipt.refused:
                        state = "refused"
                    else:
                        state = "not sent"
                    table.writerow([subscribers[receipt.index], state, receipt.message_id, receipt.error or ""])


if __name__ == "__main__":
    asyncio.run(main(os.environ["SMTP_URL"], Path("subscribers.txt").read_text().split(), Path("results.csv")))
