"""The same without async."""

import os

from netclients import compose
from netclients.sync import MailSender


def main(url: str) -> None:
    with MailSender(url) as sender:
        for name in ("bob", "carl"):
            sender.send(
                compose(from_="ada@example.org", to=[f"{name}@example.org"], subject="Hi", text=f"Dear {name},")
            )


if __name__ == "__main__":
    main(os.environ["SMTP_URL"])
