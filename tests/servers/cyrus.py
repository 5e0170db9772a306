"""The mailboxes of Cyrus: only its own protocols lead to them."""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from .names import address_of, modified_utf7
from .ports import HOST
from .stored import StoredMessage, stored_message

ADMIN, ADMIN_PASSWORD = "cyrusadm", "cyrusadmpw"
TIMEOUT = 60.0
BATCH = 500  # messages of one APPEND
_UID = re.compile(rb"UID (\d+)")


@dataclass(frozen=True, slots=True)
class CyrusMailboxes:
    port: int  # of imaps
    ca_file: Path
    users: tuple[str, ...]

    def read(self, user: str, mailbox: str) -> list[StoredMessage]:
        with self.session(user) as client:
            if client.select(_quoted(mailbox), readonly=True)[0] != "OK":
                return []
            # An empty mailbox has no message 1, but it has no error either.
            _, parts = client.uid("FETCH", "1:*", "(BODY.PEEK[])")
        return [
            stored_message(part[1], address_of(user), Path(user, mailbox, found[1].decode()))
            for part in parts
            if isinstance(part, tuple) and (found := _UID.search(part[0]))
        ]

    def write(self, user: str, mailbox: str, messages: Iterable[bytes], flags: Sequence[str]) -> None:
        name, remaining = _quoted(mailbox), iter(messages)
        with self.session(user) as client:
            if mailbox.upper() != "INBOX":
                client.create(name)  # it may be there
            while batch := list(islice(remaining, BATCH)):
                _append(client, name, batch, f"({' '.join(flags)})")

    def clear(self) -> None:
        """Remove the users' mailboxes; sessions that have selected one are ended. The next login makes new ones."""
        with self.administration() as client:
            for user in self.users:
                if client.list('""', f"user/{user}")[1] != [None]:
                    delete(client, f"user/{user}")

    def administration(self) -> AbstractContextManager[imaplib.IMAP4]:
        return self.session(ADMIN, ADMIN_PASSWORD)

    @contextmanager
    def session(self, user: str, password: str | None = None) -> Iterator[imaplib.IMAP4]:
        context = ssl.create_default_context(cafile=self.ca_file)
        with imaplib.IMAP4_SSL(HOST, self.port, ssl_context=context, timeout=TIMEOUT) as client:
            client.login(user, f"{user}pw" if password is None else password)
            yield client


def delete(client: imaplib.IMAP4, mailbox: str) -> None:
    """Even an administrator has to take the right first."""
    client.setacl(mailbox, ADMIN, "lrswipkxtecda")
    _check(client.delete(mailbox))


def _append(client: imaplib.IMAP4, name: str, messages: list[bytes], flags: str) -> None:
    """One command for all messages, none of which waits for a continuation (MULTIAPPEND, LITERAL+)."""
    tag = client._new_tag()
    pieces = [tag, b" APPEND ", name.encode()]
    for message in messages:
        pieces += [f" {flags} {{{len(message)}+}}\r\n".encode(), message]
    client.send(b"".join((*pieces, b"\r\n")))
    client.tagged_commands[tag] = None
    _check(client._command_complete("APPEND", tag))


def _check(result: tuple[str, list[object]]) -> None:
    if result[0] != "OK":
        raise RuntimeError(f"Cyrus: {result}")


def _quoted(mailbox: str) -> str:
    return f'"{modified_utf7(mailbox)}"'
