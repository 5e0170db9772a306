"""Recorded dialogues with real servers: one file each, read into commands, replies and data lines."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

SERVERS = ("vsftpd", "proftpd", "pureftpd", "pyftpdlib", "aioftp")


@dataclass
class Exchange:
    """One command (None for the greeting), the replies to it and what came over the data connection."""

    command: str | None
    replies: list[tuple[int, tuple[str, ...]]] = field(default_factory=list)
    data: list[bytes] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "\n".join(self.replies[0][1])


@dataclass
class Transcript:
    now: datetime
    exchanges: list[Exchange]

    def __getitem__(self, command: str) -> Exchange:
        return next(exchange for exchange in self.exchanges if exchange.command == command)

    def all(self, command: str) -> list[Exchange]:
        return [exchange for exchange in self.exchanges if exchange.command == command]


def unescape(text: str) -> bytes:
    return text.encode("ascii").decode("unicode_escape").encode("latin-1")


def load(server: str) -> Transcript:
    lines = (Path(__file__).parent / f"{server}.txt").read_text("ascii").splitlines()
    now = datetime.fromisoformat(lines[0].split("recorded ")[1].split(".")[0])
    exchanges = [Exchange(None)]
    pending: list[str] = []
    for line in lines:
        if line.startswith("C: "):
            exchanges.append(Exchange(unescape(line[3:]).decode("utf-8")))
        elif line.startswith("D: "):
            exchanges[-1].data.append(unescape(line[3:]))
        elif line.startswith("S: "):
            pending.append(unescape(line[3:]).decode("utf-8", "surrogateescape"))
            if pending[-1][:4] == pending[0][:3] + " ":
                exchanges[-1].replies.append((int(pending[0][:3]), _texts(pending)))
                pending = []
    assert not pending
    return Transcript(now, exchanges)


def _texts(lines: list[str]) -> tuple[str, ...]:
    code = lines[0][:3]
    return tuple(line[4:] if line[:4] in (f"{code}-", f"{code} ") else line for line in lines)
