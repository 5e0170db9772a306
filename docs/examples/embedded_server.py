"""A server to try things on: it serves a new directory on loopback until Enter is pressed."""

import tempfile
from pathlib import Path

from netclients.testing import FTPServer

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        (root / "notes.txt").write_text("Hello from the embedded server.\n")
        (root / "big.bin").write_bytes(bytes(50_000_000))
        (root / "batch").mkdir()
        for number in range(200):
            (root / "batch" / f"{number:04}.txt").write_text(f"file {number}\n" * 100)
        with FTPServer(root) as server:
            print(f"export FTP_URL={server.url}")
            input("Press Enter to stop. ")
