"""``send``: a message that is composed from options, or raw ones from files, and a receipt for each."""

from __future__ import annotations

import json
import sys
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netclients.cli.credentials import Credentials
from netclients.cli.failures import FAILED, combine, complain, exit_code
from netclients.cli.targets import parse_target
from netclients.errors import ConfigurationError, LocalFileError, printable

if TYPE_CHECKING:
    from netclients.cli.session import Session
    from netclients.smtp.client import MailSender, Outgoing
    from netclients.smtp.types import Receipt

__all__ = ["Letter", "send"]


@dataclass(frozen=True, slots=True)
class Letter:
    """What the options say of the message. ``raw``: files with whole messages, ``-`` is standard input."""

    sender: str | None
    to: Sequence[str]
    cc: Sequence[str]
    bcc: Sequence[str]
    subject: str | None
    text: str | None
    html: Path | None
    attachments: Sequence[Path]
    raw: Sequence[str]


def send(session: Session, url: str, letter: Letter) -> Coroutine[Any, Any, int]:
    """Plan to send; what is returned does it.

    Raises:
        ConfigurationError: the arguments make no sense.
        LocalFileError: a file for the message can't be read.
    """
    session.check()
    target = parse_target(url, Credentials())
    messages = _raw_messages(letter) if letter.raw else [_composed(letter)]
    return _send(session.sender(target.server), messages, names=letter.raw, as_json=session.json)


def _composed(letter: Letter) -> Outgoing:
    from netclients.mail.compose import compose
    from netclients.smtp.client import Outgoing

    if letter.sender is None or not (letter.to or letter.cc or letter.bcc):
        raise ConfigurationError("--from and --to are needed")
    text = letter.text
    if text is None and letter.html is None:
        text = _decoded(_standard_input(), "standard input")
    message = compose(
        from_=letter.sender,
        to=letter.to,
        cc=letter.cc,
        bcc=letter.bcc,
        subject=letter.subject or "",
        text=text,
        html=None if letter.html is None else _decoded(_read(letter.html), str(letter.html)),
        attachments=letter.attachments,
    )
    return Outgoing(message)


def _raw_messages(letter: Letter) -> list[Outgoing]:
    """Raw messages are sent as they are but for their line ends; the envelope is that of the options."""
    from netclients.smtp.client import Outgoing

    if letter.sender is None or not letter.to:
        raise ConfigurationError("--raw needs --from and --to: the envelope")
    if any((letter.cc, letter.bcc, letter.subject, letter.text, letter.html, letter.attachments)):
        raise ConfigurationError("--raw takes --from and --to, nothing else")
    if letter.raw.count("-") > 1:
        raise ConfigurationError("--raw -: standard input can be read once")
    return [
        Outgoing(_standard_input() if name == "-" else Path(name), letter.sender, letter.to, normalize=True)
        for name in letter.raw
    ]


def _standard_input() -> bytes:
    if sys.stdin is None:
        raise ConfigurationError("there is no standard input")
    return sys.stdin.buffer.read()


def _decoded(data: bytes, where: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{printable(where)} is not UTF-8; --attach sends it as a file") from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        shown = printable(str(path))
        raise LocalFileError(f"can't read {shown}: {error.strerror}", errno=error.errno, filename=str(path)) from None


async def _send(sender: MailSender, messages: Sequence[Outgoing], *, names: Sequence[str], as_json: bool) -> int:
    codes = []
    async with sender, sender.send_many(messages) as receipts:
        async for receipt in receipts:
            name = names[receipt.index] if names else None
            _print(receipt, name, as_json=as_json)
            if receipt.error is not None:
                complain(receipt.error, name)
            codes.append(_code_of(receipt))
    return combine(codes)


def _code_of(receipt: Receipt) -> int:
    if receipt.ok:
        return 0
    return FAILED if receipt.accepted or receipt.error is None else exit_code(receipt.error)


def _print(receipt: Receipt, name: str | None, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(_as_object(receipt, name)) + "\n")
        return
    for address in receipt.accepted:
        sys.stdout.write(f"accepted {printable(address)}\n")
    for address, reply in receipt.refused.items():
        sys.stdout.write(f"refused {printable(address)}: {reply}\n")
    for word, addresses in (("unknown", receipt.unknown), ("unsent", receipt.unsent)):
        for address in addresses:
            sys.stdout.write(f"{word} {printable(address)}\n")


def _as_object(receipt: Receipt, name: str | None) -> dict[str, object]:
    return {
        "source": name,
        "message_id": receipt.message_id,
        "ok": receipt.ok,
        "accepted": receipt.accepted,
        "refused": {
            address: {"code": reply.code, "enhanced": reply.enhanced, "text": reply.text}
            for address, reply in receipt.refused.items()
        },
        "unknown": receipt.unknown,
        "unsent": receipt.unsent,
        "attempts": receipt.attempts,
        "seconds": round(receipt.seconds, 6),
        "error": None if receipt.error is None else printable(str(receipt.error)),
        "error_type": None if receipt.error is None else type(receipt.error).__name__,
    }
