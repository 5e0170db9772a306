"""Read mail without async."""

import os

from netclients.sync import MailReader


def main(url: str) -> None:
    with MailReader(url) as reader, reader.mailbox("INBOX", readonly=True) as box:
        for uid in box.search(unseen=True):
            message = box.read(uid)
            print(uid, message["From"], message["Subject"])


if __name__ == "__main__":
    main(os.environ["IMAP_URL"])
