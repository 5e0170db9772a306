"""Addresses of users, and the names of mailboxes on the wire."""

from __future__ import annotations

import base64
import re

DOMAIN = "example.test"
USERS = ("alice", "bob", "carol", "dave", "jörg")


def address_of(user: str) -> str:
    return f"{user}@{DOMAIN}"


def modified_utf7(name: str) -> str:
    """The name of a mailbox in the encoding of RFC 3501, 5.1.3."""
    return re.sub(r"&|[^ -~]+", lambda found: "&-" if found[0] == "&" else _shifted(found[0]), name)


def _shifted(text: str) -> str:
    return f"&{base64.b64encode(text.encode('utf-16-be')).decode().rstrip('=').replace('/', ',')}-"
