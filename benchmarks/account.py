"""The server that a contender is pointed at, in a form that goes through a command line."""

from __future__ import annotations

from typing import NotRequired, TypedDict
from urllib.parse import quote


class Account(TypedDict):
    """Address, login, and the CA to trust where TLS is meant (explicit, required)."""

    host: str
    port: int
    user: str
    password: str
    ca_file: NotRequired[str | None]


def url(account: Account, scheme: str, path: str = "") -> str:
    """Return the URL of ``path``, credentials included."""
    login = f"{quote(account['user'], safe='')}:{quote(account['password'], safe='')}"
    return f"{scheme}://{login}@{account['host']}:{account['port']}/{quote(path)}"
