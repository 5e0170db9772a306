"""Real news servers: start them, make groups, put articles into them.

::

    with work_directory() as work, running_news("inn", work) as server:
        group = server.new_group()
        message_ids = server.seed(group, [b"Subject: 1\r\n\r\nbody\r\n"] * 1000)

INN is three daemons: ``feed`` takes articles from other servers, ``nntp`` and ``nntps`` are for readers. Cyrus is a
mail server (mail.py) whose shared mailboxes are newsgroups.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import secrets
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, ClassVar, Self
from urllib.parse import quote

from .cyrus import CyrusMailboxes, delete
from .mail import SETTLE_TIMEOUT, MailServer, answers, running_mail
from .ports import HOST, claim_ports
from .process import ServerError, launch, own_directory, report, stop, wait_until
from .recipes import INSTALL_ROOT, NEWS_RECIPES, MailRecipe
from .settling import wait_until_quiet

GROUPS = {"misc.test": "y", "misc.other": "y", "misc.moderated": "m", "misc.closed": "n"}
TIMEOUT = 60.0

_FLAGS = ("y", "m", "n")
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsServer:
    """A news server that runs. ``user`` may post, with ``password()``.

    Groups that are always there: misc.test and misc.other, misc.closed without posting, and on INN misc.moderated.
    ``moderated`` is the directory in which INN leaves what is to be approved, a file for each article.
    """

    name: str
    host: str
    ports: dict[str, int]
    user: str
    ca_file: Path
    directory: Path
    log_file: Path
    output_file: Path
    process: subprocess.Popen[bytes]
    _attempts: ClassVar[int] = 1

    @property
    def moderated(self) -> Path:
        return self.directory / "moderator"

    def password(self, user: str | None = None) -> str:
        return f"{user or self.user}pw"

    def url(self, service: str = "nntp", *, user: str | None = None, tls: str | None = None) -> str:
        """The URL of a service, with a login if a user is given; ``tls`` is none or starttls."""
        account = "" if user is None else f"{quote(user, safe='')}:{quote(self.password(user), safe='')}@"
        query = "" if tls is None else f"?tls={tls}"
        return f"{'nntp' if service == 'feed' else service}://{account}{self.host}:{self.ports[service]}{query}"

    def ssl_context(self, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """A context that trusts this server, pinned to one version of TLS if asked."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return context

    def new_group(self, *, flag: str = "y") -> str:
        """Make an empty group and return its name; ``m`` is a moderated one (INN), ``n`` one without posting."""
        name = f"test.n{next(_numbers)}"
        self._make_group(name, flag)
        return name

    def seed(self, group: str, articles: Iterable[bytes]) -> list[str]:
        """Put articles into a group and return their message identifiers, all in one go (TAKETHIS).

        They have CRLF; header fields that every article needs are put in front if they are missing. INN takes 5,000
        articles in a second, Cyrus 200. A message identifier can't be used twice in the life of a server.
        """
        mark = secrets.token_hex(6)
        complete = [
            _complete(article, group, f"<{number}.{mark}@example.test>") for number, article in enumerate(articles)
        ]
        waiting, replies = complete, [""]
        for _ in range(self._attempts):
            waiting, replies = self._give(waiting)
            if not waiting:
                return [message_id for message_id, _ in complete]
        raise ServerError(report(self, f"refused {len(waiting)} of {len(complete)} articles: {replies[0]!r}"))

    def article(self, message_id: str, timeout: float = 5.0) -> bytes:
        """What the server has under this identifier. A POST may be readable only some time after its reply."""
        deadline = time.monotonic() + timeout
        with self._reader() as connection:
            while not (status := connection.command(f"ARTICLE {message_id}")).startswith("220"):
                if time.monotonic() > deadline:
                    raise ServerError(report(self, f"has no {message_id}: {status}"))
                time.sleep(0.01)
            return connection.block()

    def groups(self) -> dict[str, tuple[int, int, str]]:
        """All groups, with the highest and the lowest number and the flag."""
        with self._reader() as connection:
            self._expect(connection.command("LIST ACTIVE"), "215")
            lines = [line.split() for line in connection.block().decode().splitlines()]
        return {name: (int(high), int(low), flag) for name, high, low, flag in lines}

    def settled(self, timeout: float = SETTLE_TIMEOUT) -> None:
        """Wait until the server has read what clients have sent, and works for none that has gone."""
        try:
            wait_until_quiet(self.process.pid, self.ports.values(), (), timeout)
        except TimeoutError as error:
            raise ServerError(report(self, str(error))) from None

    def clear(self) -> None:
        """Empty the groups that are always there, and remove all others."""
        raise NotImplementedError

    def _make_group(self, name: str, flag: str) -> None:
        raise NotImplementedError

    def _give(self, articles: list[tuple[str, bytes]]) -> tuple[list[tuple[str, bytes]], list[str]]:
        """Send them one after the other without waiting; return those that were not taken, and the replies to them."""
        data = b"".join(b"TAKETHIS %b\r\n%b.\r\n" % (message_id.encode(), article) for message_id, article in articles)
        with self._feed() as connection:
            self._expect(connection.command("MODE STREAM"), "203")
            sender = threading.Thread(target=connection.send_what_goes, args=(data,))
            sender.start()
            replies = [(article, connection.reply()) for article in articles]
            sender.join()
        refused = [(article, reply) for article, reply in replies if not reply.startswith("239")]
        return self._absent([article for article, _ in refused]), [reply for _, reply in refused]

    def _feed(self) -> AbstractContextManager[_Connection]:
        raise NotImplementedError

    def _absent(self, refused: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        return refused

    @contextmanager
    def _reader(self) -> Iterator[_Connection]:
        with _Connection(self.ports["nntps"], self.ssl_context()) as connection:
            self._expect(connection.command(f"AUTHINFO USER {self.user}"), "381")
            self._expect(connection.command(f"AUTHINFO PASS {self.password()}"), "281")
            yield connection

    def _expect(self, reply: str, code: str) -> None:
        if not reply.startswith(code):
            raise ServerError(report(self, f"said {reply!r}, not {code}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class INNServer(NewsServer):
    def clear(self) -> None:
        """A group that is made again has nothing in it, but the identifiers of its articles stay known."""
        for name, (high, _, _) in self.groups().items():
            known = name in GROUPS
            if name.startswith(("control", "junk")) or (known and not high):
                continue
            self._control("rmgroup", name)
            for path in (self.directory / "spool/articles" / name.replace(".", "/")).glob("[0-9]*"):
                if path.is_file():
                    path.unlink()
            if known:
                self._make_group(name, GROUPS[name])
        for path in self.moderated.iterdir():
            path.unlink()

    def _make_group(self, name: str, flag: str) -> None:
        if flag not in _FLAGS:
            raise ValueError(f"{flag}: y, m or n")
        self._control("newgroup", name, flag, "tests")
        descriptions = self.directory / "db/newsgroups"
        if f"{name}\t" not in (text := descriptions.read_text()):
            descriptions.write_text(f"{text}{name}\tTest group {name}\n")

    def _feed(self) -> AbstractContextManager[_Connection]:
        return _Connection(self.ports["feed"])

    def _control(self, *command: str) -> None:
        program = self.directory / "ctlinnd"
        done = subprocess.run([program, "-s", *command], capture_output=True, text=True, check=False, timeout=TIMEOUT)
        if done.returncode:
            raise ServerError(report(self, f"ctlinnd {' '.join(command)}: {done.stderr}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class CyrusNews(NewsServer):
    """Its groups are shared mailboxes below ``news``; it has no moderated ones."""

    mailboxes: CyrusMailboxes
    _attempts: ClassVar[int] = 10

    def clear(self) -> None:
        with self.mailboxes.administration() as client:
            lines = [line.decode() for line in client.list('""', "news/*")[1] if isinstance(line, bytes)]
            for line in reversed(lines):  # what has something below it goes after that
                delete(client, line.split()[-1].strip('"'))
        for name, flag in GROUPS.items():
            if flag != "m":
                self._make_group(name, flag)

    def _make_group(self, name: str, flag: str) -> None:
        if flag not in ("y", "n"):
            raise ValueError(f"{flag}: Cyrus has y or n")
        mailbox = f"news/{name.replace('.', '/')}"
        with self.mailboxes.administration() as client:
            client.create(mailbox)
            client.setacl(mailbox, "anyone", "lrsp" if flag == "y" else "lrs")
            client.setacl(mailbox, self.user, "lrswipkxtecd" if flag == "y" else "lrs")

    def _feed(self) -> AbstractContextManager[_Connection]:
        return self._reader()

    def _absent(self, refused: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
        """Cyrus 3.6 says of one article in ten that it lacks the permission, and has stored it all the same.

        Once in a while it closes the connection.
        """
        if not refused:
            return []
        with self._reader() as connection:
            return [article for article in refused if not connection.command(f"STAT {article[0]}").startswith("223")]


class _Connection:
    def __init__(self, port: int, context: ssl.SSLContext | None = None) -> None:
        self._socket = socket.create_connection((HOST, port), TIMEOUT)
        if context is not None:
            self._socket = context.wrap_socket(self._socket, server_hostname=HOST)
        self._lines: BinaryIO = self._socket.makefile("rb")
        self.reply()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def send_what_goes(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # who reads the replies notices it too
            self.send(data)

    def reply(self) -> str:
        return self._lines.readline().decode(errors="replace").rstrip("\r\n")

    def command(self, line: str) -> str:
        self.send(f"{line}\r\n".encode())
        return self.reply()

    def block(self) -> bytes:
        """The lines up to the dot, without the dots that were put in front."""
        return b"".join(line.removeprefix(b".") for line in iter(self._lines.readline, b".\r\n"))


@contextmanager
def running_news(name: str, work: Path, **knobs: str | int) -> Iterator[NewsServer]:
    """Run the news server ``name``, inn or cyrus, with these knobs (see README.md)."""
    if name == "cyrus":
        with running_mail(name, work, **knobs) as server:
            news = news_of(server)
            news.clear()
            yield news
        return
    recipe = NEWS_RECIPES[name]
    recipe.check_knobs(settings := {knob: str(value) for knob, value in knobs.items()})
    own = own_directory(work)
    with claim_ports(len(recipe.services)) as block:
        ports = dict(zip(recipe.services, block.listeners, strict=True))
        with _running_inn(recipe, own, ports, settings) as inn:
            yield inn


def news_of(server: MailServer) -> CyrusNews:
    """The newsgroups of a Cyrus."""
    if not isinstance(server.mailboxes, CyrusMailboxes):
        raise TypeError(f"{server.name} has no newsgroups")
    return CyrusNews(
        name=server.name,
        host=server.host,
        ports={service: server.ports[service] for service in ("nntp", "nntps")},
        user="alice",
        ca_file=server.ca_file,
        directory=server.directory,
        log_file=server.log_file,
        output_file=server.output_file,
        process=server.process,
        mailboxes=server.mailboxes,
    )


@contextmanager
def _running_inn(
    recipe: MailRecipe, own: Path, ports: dict[str, int], settings: dict[str, str]
) -> Iterator[NewsServer]:
    cert = own.parent / "cert"
    directory = own / recipe.directory.format(port=ports["feed"])
    output_file = own / f"{recipe.name}.out"
    environment = {
        **os.environ,
        **settings,
        **{variable: str(ports[service]) for service, variable in recipe.services.items()},
        "ROOT": str(INSTALL_ROOT),
        "WORK": str(own),
        "CERT_DIR": str(cert),
        "GROUPS_": " ".join(f"{name}:{flag}".removesuffix(":y") for name, flag in GROUPS.items()),
    }
    server = INNServer(
        name=recipe.name,
        host=HOST,
        ports=ports,
        user="reader",
        ca_file=cert / "ca.pem",
        directory=directory,
        log_file=directory / str(recipe.log),
        output_file=output_file,
        process=launch(recipe.script, environment, output_file),
    )
    try:
        wait_until(lambda: all(answers(*service) for service in ports.items()), server)
        yield server
    finally:
        stop(server, ports.values(), grace=recipe.grace)


def _complete(article: bytes, group: str, message_id: str) -> tuple[str, bytes]:
    """The message identifier, and the article as it is sent: with all fields, with dots in front of dots."""
    head, separator, body = article.partition(b"\r\n\r\n")
    if article.startswith(b"\r\n"):
        head, separator, body = b"", b"\r\n", article[2:]
    present = {}
    for line in head.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon and not name.startswith((b" ", b"\t")):
            present[name.lower()] = value.strip()
    needed = {
        b"Path": b"seed.example.test!not-for-mail",
        b"From": b"Seed <seed@example.test>",
        b"Newsgroups": group.encode(),
        b"Subject": b"seed",
        b"Date": time.strftime("%d %b %Y %H:%M:%S +0000", time.gmtime()).encode(),
        b"Message-ID": message_id.encode(),
    }
    added = b"".join(b"%b: %b\r\n" % item for item in needed.items() if item[0].lower() not in present)
    whole = added + head + separator + body
    if not whole.endswith(b"\r\n"):
        whole += b"\r\n"
    return present.get(b"message-id", message_id.encode()).decode(), whole.replace(b"\r\n.", b"\r\n..")
