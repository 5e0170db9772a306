"""Real mail servers: start them, look into their mailboxes, wait until everything has been delivered.

::

    with work_directory() as work, running_mail("postfix", work) as server:
        with smtplib.SMTP(server.host, server.ports["smtp"]) as client:
            client.sendmail("bob@example.test", ["alice@example.test"], message)
        server.settled()
        [stored] = server.mailbox("alice")

Postfix and Dovecot come as a pair: Postfix asks Dovecot who may log in, and Dovecot's submission relays to Postfix.
Both see the same mailboxes. Cyrus has its own.
"""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from .cyrus import CyrusMailboxes
from .maildirs import Maildirs
from .names import address_of
from .ports import HOST, claim_ports, is_open
from .process import GREETING_TIMEOUT, ServerError, launch, own_directory, report, stop, wait_until
from .recipes import INSTALL_ROOT, MAIL_RECIPES, MailRecipe
from .settling import wait_until_quiet
from .stored import Mailboxes, StoredMessage

SETTLE_TIMEOUT = 20.0

# Ports that speak TLS at once, and the one on which clients don't speak first.
_SILENT = frozenset({"smtps", "submissions", "imaps", "pop3s", "nntps", "auth"})
_GREETINGS = (b"220", b"* OK", b"+OK", b"200", b"201")
_SCHEMES = {"submission": "smtp", "submissions": "smtps"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """A mail server that runs.

    ``ports`` are those of its services: ``smtp``, ``smtps``, ``submission`` (Postfix: a login is required, after
    STARTTLS), Dovecot also ``submissions``, ``lmtp``, ``imap``, ``imaps``, ``pop3``, ``pop3s``, Cyrus the last five and
    ``nntp``, ``nntps``. Mail for
    <user>@example.test (``address``) goes to ``mailbox(user)``; the password of each of ``users`` is
    ``password(user)``, its bearer token for Dovecot ``token(user)``; ``client_certificate`` is alice's, with the key.
    ``unix_sockets`` has Dovecot's ``lmtp``, ``relay`` is where its submission hands mail on to.
    ``log_file`` is the server's own log, ``output_file`` what it printed.
    """

    name: str
    host: str
    ports: dict[str, int]
    unix_sockets: dict[str, Path]
    users: tuple[str, ...]
    ca_file: Path
    client_certificate: Path
    directory: Path
    mailboxes: Mailboxes
    queues: tuple[Path, ...]
    log_file: Path
    output_file: Path
    process: subprocess.Popen[bytes]
    relay: MailServer | None = None

    def address(self, user: str = "alice") -> str:
        return address_of(user)

    def password(self, user: str = "alice") -> str:
        return f"{user}pw"

    def token(self, user: str = "alice") -> str:
        return f"tok-{user}"

    def url(self, service: str = "smtp", *, user: str | None = None, tls: str | None = None) -> str:
        """The URL of a service, with a login if a user is given; ``tls`` is none or starttls.

        Without ``tls`` the client decides: no TLS on this machine, STARTTLS as soon as there is a login.
        ``lmtp+unix`` is LMTP over its Unix socket.
        """
        account = "" if user is None else f"{quote(user, safe='')}:{quote(self.password(user), safe='')}@"
        query = "" if tls is None else f"?tls={tls}"
        if service == "lmtp+unix":
            return f"lmtp+unix://{self.unix_sockets['lmtp']}{query}"
        return f"{_SCHEMES.get(service, service)}://{account}{self.host}:{self.ports[service]}{query}"

    def ssl_context(self, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """A context that trusts this server, pinned to one version of TLS if asked."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return context

    def mailbox(self, user: str, name: str = "INBOX") -> list[StoredMessage]:
        """What is in a mailbox of this user now; after :meth:`settled`, all that was sent."""
        return self.mailboxes.read(user, name)

    def seed(self, user: str, mailbox: str, messages: Iterable[bytes], *, flags: Sequence[str] = ()) -> None:
        r"""Put messages into a mailbox, which is made if it is not there.

        Those with CRLF come back byte for byte. ``flags`` are those of IMAP that have a backslash, such as
        ``\Seen``; none of the messages is recent. A maildir takes 5,000 messages in a second, Cyrus in three or four.
        """
        self.mailboxes.write(user, mailbox, messages, flags)

    def settled(self, timeout: float = SETTLE_TIMEOUT) -> None:
        """Wait until the server has read what clients have sent, and has delivered what it accepted.

        It blocks the thread, for some ten milliseconds as a rule. Sessions may stay open, but a transaction that
        has begun counts as something to be delivered. After ``timeout`` seconds: :class:`ServerError`.
        """
        try:
            wait_until_quiet(self.process.pid, self.ports.values(), self.queues, timeout)
        except TimeoutError as error:
            raise ServerError(report(self, str(error))) from None
        if self.relay is not None:
            self.relay.settled(timeout)

    def clear(self) -> None:
        """Empty the mailboxes of all users, and remove all but the inboxes.

        Sessions of Dovecot are ended; Cyrus ends those that have selected a mailbox.
        """
        self.mailboxes.clear()


@contextmanager
def running_mail(name: str, work: Path, **knobs: str | int) -> Iterator[MailServer]:
    """Run the mail server ``name`` with these knobs (see README.md), with its partner if it has one."""
    MAIL_RECIPES[name].check_knobs(settings := {knob: str(value) for knob, value in knobs.items()})
    if name in ("postfix", "dovecot") and settings.get("RELAY", "yes") == "yes":
        with running_pair(work, **{name: settings}) as pair:
            yield pair[name]
        return
    recipe = MAIL_RECIPES[name]
    own = own_directory(work)
    with claim_ports(len(recipe.ports)) as block:
        ports = dict(zip(recipe.ports, block.listeners, strict=True))
        with _running(recipe, own, ports, settings) as server:
            yield server


@contextmanager
def running_pair(
    work: Path, *, postfix: dict[str, str] | None = None, dovecot: dict[str, str] | None = None
) -> Iterator[dict[str, MailServer]]:
    """Run Postfix and Dovecot on the same mailboxes. Postfix delivers into maildirs unless ``DELIVERY`` says lmtp."""
    behind, front = MAIL_RECIPES["dovecot"], MAIL_RECIPES["postfix"]
    own = own_directory(work)
    with claim_ports(len(behind.ports) + len(front.ports)) as block:
        ports = iter(block.listeners)
        behind_ports = {service: next(ports) for service in behind.ports}
        front_ports = {service: next(ports) for service in front.ports}
        links = {
            "AUTH_PORT": str(behind_ports["auth"]),
            "LMTP_PORT": str(behind_ports["lmtp"]),
            "RELAY_PORT": str(front_ports["smtp"]),
        }
        # An smtpd that can't reach Dovecot dies, and master waits a minute before it starts the next one.
        with (
            _running(behind, own, behind_ports, {**links, **(dovecot or {})}) as first,
            _running(front, own, front_ports, {**links, **(postfix or {})}) as second,
        ):
            yield {"dovecot": replace(first, relay=second), "postfix": second}


@contextmanager
def _running(recipe: MailRecipe, own: Path, ports: dict[str, int], settings: dict[str, str]) -> Iterator[MailServer]:
    mail_root = own / "mail"
    cert = own.parent / "cert"
    directory = own / recipe.directory.format(port=next(iter(ports.values())))
    output_file = own / f"{recipe.name}.out"
    environment = {
        **os.environ,
        "DELIVERY": "maildir",
        **settings,
        **{variable: str(ports[name]) for name, variable in recipe.ports.items()},
        "ROOT": str(INSTALL_ROOT),
        "WORK": str(own),
        "CERT_DIR": str(cert),
        "MAILROOT": str(mail_root),
        "USERS": " ".join(recipe.users),
    }
    process = launch(recipe.script, environment, output_file)
    server = MailServer(
        name=recipe.name,
        host=HOST,
        ports={service: ports[service] for service in recipe.services},
        unix_sockets={name: directory / path for name, path in recipe.unix_sockets.items()},
        users=recipe.users,
        ca_file=cert / "ca.pem",
        client_certificate=cert / "client-alice.pem",
        directory=directory,
        mailboxes=CyrusMailboxes(ports["imaps"], cert / "ca.pem", recipe.users)
        if recipe.name == "cyrus"
        else Maildirs(mail_root, recipe.users, process.pid if recipe.name == "dovecot" else None),
        queues=tuple(directory / queue for queue in recipe.queues),
        log_file=output_file if recipe.log is None else directory / recipe.log,
        output_file=output_file,
        process=process,
    )
    try:
        wait_until(lambda: all(answers(*service) for service in server.ports.items()), server)
        yield server
    finally:
        stop(server, ports.values(), grace=recipe.grace)


def answers(service: str, port: int) -> bool:
    """Whether the service greets, or, where the client speaks first, accepts."""
    if service in _SILENT:
        return is_open(port)
    try:
        with socket.create_connection((HOST, port), timeout=GREETING_TIMEOUT) as connection:
            greeting = connection.recv(4096)
            connection.sendall(b"a LOGOUT\r\n" if service == "imap" else b"QUIT\r\n")
            while connection.recv(4096):
                pass
            return greeting.startswith(_GREETINGS)
    except OSError:
        return False
