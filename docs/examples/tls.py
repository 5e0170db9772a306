"""TLS with a private certificate authority."""

import asyncio
import os
import ssl
from pathlib import Path

from netclients import FTPClient


async def main(url: str, directory: Path, ca_file: str) -> None:
    context = ssl.create_default_context(cafile=ca_file)
    # A client certificate, where the server asks for one:
    # context.load_cert_chain("client.pem", "client.key")
    async with FTPClient(url, ssl_context=context) as ftp:
        done = await ftp.download("notes.txt", directory / "notes.txt", verify="strict")
        print(f"{done.size} bytes")


if __name__ == "__main__":
    asyncio.run(main(os.environ["FTP_URL"], Path("downloads"), os.environ["CA_FILE"]))
