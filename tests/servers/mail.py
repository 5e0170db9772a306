"""Real mail servers: start them, look into their mailboxes, wait until everything has been delivered.

::

    with work_directory() as work, running_mail("postfix", work) as server:
        with smtplib.SMTP(server.host, server.ports["smtp"]) as client:
            client.sendmail("bob@example.test", ["alice@example.test"], message)
        server.settled()
        [stored] = server.mailbox("alice")

Postfix and Dovecot come as a pair: Postfix asks Dovecot who may log in, and Dovecot's submission relays to Postfix.
Both see the same mailboxes.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from .ports import HOST, claim_ports, is_open
from .process import GREETING_TIMEOUT, ServerError, launch, own_directory, report, stop, wait_until
from .recipes import INSTALL_ROOT, MAIL_RECIPES, MailRecipe
from .settling import wait_until_quiet
from .stored import StoredMessage, read_maildir

USERS = ("alice", "bob", "carol", "dave", "jörg")
DOMAIN = "example.test"
SETTLE_TIMEOUT = 20.0

# Ports that speak TLS at once, and the one on which clients don't speak first.
_SILENT = frozenset({"smtps", "submissions", "imaps", "pop3s", "auth"})
_GREETINGS = (b"220", b"* OK", b"+OK")
_SCHEMES = {"smtp": "smtp", "submission": "smtp", "smtps": "smtps", "submissions": "smtps", "lmtp": "lmtp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """A mail server that runs.

    ``ports`` are those of its services: ``smtp``, ``smtps``, ``submission`` (Postfix: a login is required, after
    STARTTLS), Dovecot also ``submissions``, ``lmtp``, ``imap``, ``imaps``, ``pop3``, ``pop3s``. Mail for
    <user>@example.test (``address``) goes to ``mailbox(user)``; the password of each of ``users`` is
    ``password(user)``. ``unix_sockets`` has Dovecot's ``lmtp``, ``relay`` is where its submission hands mail on to.
    ``log_file`` is the server's own log, ``output_file`` what it printed.
    """

    name: str
    host: str
    ports: dict[str, int]
    unix_sockets: dict[str, Path]
    users: tuple[str, ...]
    ca_file: Path
    directory: Path
    mail_root: Path
    queues: tuple[Path, ...]
    log_file: Path
    output_file: Path
    process: subprocess.Popen[bytes]
    relay: MailServer | None = None

    def address(self, user: str = "alice") -> str:
        return f"{user}@{DOMAIN}"

    def password(self, user: str = "alice") -> str:
        return f"{user}pw"

    def url(self, service: str = "smtp", *, user: str | None = None, tls: str | None = None) -> str:
        """The URL of a service, with a login if a user is given; ``tls`` is none or starttls.

        Without ``tls`` the client decides: no TLS on this machine, STARTTLS as soon as there is a login.
        ``lmtp+unix`` is LMTP over its Unix socket.
        """
        account = "" if user is None else f"{quote(user, safe='')}:{quote(self.password(user), safe='')}@"
        query = "" if tls is None else f"?tls={tls}"
        if service == "lmtp+unix":
            return f"lmtp+unix://{self.unix_sockets['lmtp']}{query}"
        return f"{_SCHEMES[service]}://{account}{self.host}:{self.ports[service]}{query}"

    def ssl_context(self, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """A context that trusts this server, pinned to one version of TLS if asked."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return context

    def mailbox(self, user: str) -> list[StoredMessage]:
        """What is in the inbox of this user now; after :meth:`settled`, all that was sent."""
        return read_maildir(self.mail_root / user / "Maildir", self.address(user))

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
        """Empty the mailboxes of all users."""
        for user in self.users:
            shutil.rmtree(self.mail_root / user / "Maildir", ignore_errors=True)


@contextmanager
def running_mail(name: str, work: Path, **knobs: str | int) -> Iterator[MailServer]:
    """Run the mail server ``name`` with these knobs (see README.md), with its partner if it has one."""
    MAIL_RECIPES[name].check_knobs(settings := {knob: str(value) for knob, value in knobs.items()})
    if name in ("postfix", "dovecot"):
        with running_pair(work, **{name: settings}) as pair:
            yield pair[name]
        return
    recipe = MAIL_RECIPES[name]
    own = own_directory(work)
    with claim_ports(len(recipe.services)) as block:
        ports = dict(zip(recipe.services, block.listeners, strict=True))
        with _running(recipe, own, ports, settings) as server:
            yield server


@contextmanager
def running_pair(
    work: Path, *, postfix: dict[str, str] | None = None, dovecot: dict[str, str] | None = None
) -> Iterator[dict[str, MailServer]]:
    """Run Postfix and Dovecot on the same mailboxes. Postfix delivers into maildirs unless ``DELIVERY`` says lmtp."""
    behind, front = MAIL_RECIPES["dovecot"], MAIL_RECIPES["postfix"]
    own = own_directory(work)
    with claim_ports(len(behind.services) + len(front.services)) as block:
        ports = iter(block.listeners)
        behind_ports = {service: next(ports) for service in behind.services}
        front_ports = {service: next(ports) for service in front.services}
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
        **{variable: str(ports[service]) for service, variable in recipe.services.items()},
        "ROOT": str(INSTALL_ROOT),
        "WORK": str(own),
        "CERT_DIR": str(cert),
        "MAILROOT": str(mail_root),
        "USERS": " ".join(USERS),
    }
    server = MailServer(
        name=recipe.name,
        host=HOST,
        ports=ports,
        unix_sockets={"lmtp": directory / "run/lmtp"} if "lmtp" in ports else {},
        users=USERS,
        ca_file=cert / "ca.pem",
        directory=directory,
        mail_root=mail_root,
        queues=tuple(directory / queue for queue in recipe.queues),
        log_file=output_file if recipe.log is None else directory / recipe.log,
        output_file=output_file,
        process=launch(recipe.script, environment, output_file),
    )
    try:
        wait_until(lambda: all(_answers(service, port) for service, port in ports.items()), server)
        yield server
    finally:
        stop(server, ports.values())


def _answers(service: str, port: int) -> bool:
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
