"""Without async: the same names, in blocking code."""

import os
from pathlib import Path

from netclients.sync import FTPClient


def main(url: str, directory: Path) -> None:
    with FTPClient(url) as ftp:
        done = ftp.download("notes.txt", directory / "notes.txt")
        print(done.size)
        for entry in ftp.scandir("batch"):
            print(entry.name)
        for item in ftp.download_many(["batch/0000.txt", "batch/0001.txt"], directory):
            item.raise_for_error()


if __name__ == "__main__":
    main(os.environ["FTP_URL"], Path("downloads"))
