"""Composing a message from what people think of: addresses, a subject, texts, pictures, attachments.

:func:`compose` checks its arguments and turns them into a draft: fields of the header section, and one
:class:`~netclients.mail.parts.Part` that is the body. The draft is written once; it is kept only by messages whose
addresses may have to be written in another way later, for servers without SMTPUTF8.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from netclients.errors import ConfigurationError, printable
from netclients.mail.addresses import (
    Addresses,
    AddressLike,
    Mailbox,
    all_in_ascii,
    ascii_domain,
    distinct,
    must_be_text,
    read_mailboxes,
)
from netclients.mail.fields import custom_field, date_field, ids_field, mailboxes_field, text_field
from netclients.mail.message import Envelope, Message
from netclients.mail.parts import Attachment, Part, attachment_part, container, inline_part, is_email, text_part

if TYPE_CHECKING:
    from netclients.mail.dkim import DKIM

__all__ = ["Headers", "compose"]

Headers: TypeAlias = Mapping[str, str | Sequence[str]] | Iterable[tuple[str, str]]
"""Further header fields: a mapping from names to a value or several, or pairs."""

_ID = re.compile(
    r"<[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,400}@(?:[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,400}|\[[!-Z^-~]{1,400}\])>"
)
_ANY_ID = re.compile(r"<[!-;=?-~]{1,900}>")
# What compose() writes itself, and what only others may write.
_RESERVED = re.compile(
    r"from|sender|reply-to|to|cc|bcc|subject|date|message-id|in-reply-to|references|mime-version|content-.*|"
    r"resent-.*|return-path|received",
    re.IGNORECASE,
)


def compose(
    *,
    from_: Addresses,
    to: Addresses = (),
    cc: Addresses = (),
    bcc: Addresses = (),
    subject: str = "",
    text: str | None = None,
    html: str | None = None,
    attachments: Iterable[Attachment] = (),
    inline: Mapping[str, Attachment] | None = None,
    reply_to: Addresses = (),
    sender: AddressLike | None = None,
    headers: Headers | None = None,
    date: datetime | None = None,
    message_id: str | None = None,
    in_reply_to: str | Iterable[str] | None = None,
    references: str | Iterable[str] = (),
    dkim: DKIM | None = None,
) -> Message:
    """Make a message (RFC 5322, 2045). Blocks while files are looked at: in a coroutine, call it in a worker thread.

    Args:
        from_: the author. Several authors need ``sender``.
        to: text such as ``"Ada <ada@example.org>, bob@example.org"``, a pair ``("Ada", "ada@example.org")``, an
            :class:`email.headerregistry.Address`, or a list of such.
        cc: likewise.
        bcc: likewise; they are in :attr:`Message.recipients <netclients.mail.Message.recipients>`, and nowhere else.
        subject: without one there is no Subject field.
        text: the text; line ends may be of any kind.
        html: the same in HTML; readers show this one if they can.
        attachments: paths, which are read while the message is sent; pairs of name and content (bytes or path), or
            triples with the content type; parts and messages made with :mod:`email`; messages.
        inline: what ``html`` shows: ``{"logo": Path("logo.png")}`` is ``<img src="cid:logo">`` there.
        reply_to: where answers should go.
        sender: who sends it, if that is not the author. It is the envelope's sender then.
        in_reply_to: the Message-ID of what it answers.
        references: Message-IDs of the thread; without it, ``in_reply_to``.
        headers: further fields. Not those that the other arguments make.
        date: with a time zone; otherwise it is now, in UTC.
        message_id: otherwise one is made, at the domain of the sender.
        dkim: sign it.

    Raises:
        ConfigurationError: an argument makes no sense or would break the message: CR, LF or NUL outside of texts, text
            that has no UTF-8 form, what is no address, a header of another argument.
        LocalFileError: a file can't be read.
    """
    addresses = {
        "From": read_mailboxes(from_, "from_"),
        "Sender": () if sender is None else read_mailboxes(sender, "sender"),
        "Reply-To": read_mailboxes(reply_to, "reply_to"),
        "To": read_mailboxes(to, "to"),
        "Cc": read_mailboxes(cc, "cc"),
        "Bcc": read_mailboxes(bcc, "bcc"),
    }
    author = _sender_of(addresses)
    message_id = _new_id(author) if message_id is None else _checked_id(message_id)
    answered = _ids(in_reply_to, "in_reply_to")
    thread = _ids(references, "references") or answered
    others = [_subject(subject), date_field(date), ids_field("Message-ID", [message_id])]
    if answered:
        others.append(ids_field("In-Reply-To", answered))
    if thread:
        others.append(ids_field("References", thread))
    if headers:
        others += [custom_field(name, value) for name, value in _header_items(headers)]
    body = _body(text, html, attachments, inline)
    message = _Draft(addresses, b"".join(others), message_id, body).written()
    if dkim is None:
        return message
    from netclients.mail.dkim import sign

    return sign(message, dkim)


def _sender_of(addresses: dict[str, tuple[Mailbox, ...]]) -> Mailbox:
    authors, senders = addresses["From"], addresses["Sender"]
    if not authors:
        raise ConfigurationError("from_: nobody wrote it")
    if len(senders) > 1:
        raise ConfigurationError("sender: only one can send it")
    if len(authors) > 1 and not senders:
        raise ConfigurationError("from_: of several authors, sender= says who sends it (RFC 5322 section 3.6.2)")
    return (*senders, *authors)[0]


@dataclass(frozen=True, slots=True)
class _Draft:
    """All that makes a message: the address fields in their order, Bcc among them; the others, written; the body."""

    addresses: dict[str, tuple[Mailbox, ...]]
    others: bytes
    message_id: str
    body: Part

    @property
    def envelope(self) -> tuple[str, tuple[str, ...]]:
        recipients = distinct(mailbox for name in ("To", "Cc", "Bcc") for mailbox in self.addresses[name])
        return (self.addresses["Sender"] or self.addresses["From"])[0].address, recipients

    def written(self, envelope: Envelope | None = None) -> Message:
        fields = [
            mailboxes_field(name, mailboxes)
            for name, mailboxes in self.addresses.items()
            if mailboxes and name != "Bcc"
        ]
        header = b"".join([*fields, self.others, b"MIME-Version: 1.0\r\n", self.body.header, b"\r\n"])
        envelope = envelope or self.envelope
        in_utf8 = not header.isascii()
        message = _Composed(
            (header, *self.body.body),
            message_id=self.message_id,
            envelope=envelope,
            needs_8bit=in_utf8 or self.body.raw_8bit,
            needs_smtputf8=in_utf8,
            binary=self.body.binary,
            longest_line=max(self.body.longest, *map(len, header.split(b"\r\n"))),
        )
        message._draft = self if in_utf8 else None
        return message

    def in_ascii(self) -> Message | None:
        """Write it with the names of hosts in A-labels; None if that is not enough."""
        sender, recipients = self.envelope
        # Not made distinct anew: whoever sends it knows them by their number.
        envelope = all_in_ascii((sender, *recipients))
        written: dict[str, tuple[Mailbox, ...]] = {}
        for name, mailboxes in self.addresses.items():
            addresses = all_in_ascii(mailbox.address for mailbox in mailboxes)
            if addresses is None or envelope is None:
                return None
            written[name] = tuple(map(Mailbox, (mailbox.name for mailbox in mailboxes), addresses))
        assert envelope is not None
        return replace(self, addresses=written).written((envelope[0], envelope[1:]))


class _Composed(Message):
    __slots__ = ("_draft",)

    _draft: _Draft | None

    def as_7bit(self) -> Message | None:
        message: Message | None = self
        if self._draft is not None and self.needs_smtputf8:
            message = self._draft.in_ascii()
        if message is None or not message.needs_8bit:
            return message
        from netclients.mail.parsed import in_7bit

        return in_7bit(message)


def _body(
    text: str | None,
    html: str | None,
    attachments: Iterable[Attachment],
    inline: Mapping[str, Attachment] | None,
) -> Part:
    """Nest what there is: attachments around alternatives around what belongs to the HTML (RFC 2046, 2387)."""
    parts: list[Part] = []
    attached = _attached(attachments)
    if text is not None or (html is None and not attached):
        parts.append(text_part("plain", text or ""))
    if html is not None:
        page = text_part("html", html)
        if inline:
            pictures = [inline_part(content_id, shown) for content_id, shown in _inline_items(inline)]
            page = container("related", [page, *pictures], 'type="text/html"')
        parts.append(page)
    elif inline:
        raise ConfigurationError("inline: there is no html that could show it")
    if len(parts) > 1:
        parts = [container("alternative", parts)]
    return container("mixed", [*parts, *attached]) if attached else parts[0]


def _attached(attachments: Iterable[Attachment]) -> list[Part]:
    if isinstance(attachments, (str, bytes, bytearray, memoryview)) or is_email(attachments):
        raise ConfigurationError("attachments: a list is needed")
    if not isinstance(attachments, Iterable):
        raise ConfigurationError(f"attachments: a {type(attachments).__name__} is no list")
    return [attachment_part(attachment) for attachment in attachments]


def _inline_items(inline: Mapping[str, Attachment]) -> Iterable[tuple[str, Attachment]]:
    if not isinstance(inline, Mapping):
        raise ConfigurationError("inline: a mapping from identifiers to what is shown is needed")
    return inline.items()


def _subject(subject: str) -> bytes:
    must_be_text(subject, "subject")
    return text_field("Subject", subject) if subject else b""


def _new_id(sender: Mailbox) -> str:
    """Make a Message-ID that tells nothing about this machine."""
    domain = ascii_domain(sender.domain) or "localhost.invalid"
    return f"<{os.urandom(16).hex()}@{domain}>"


def _checked_id(message_id: str) -> str:
    must_be_text(message_id, "message_id")
    if not _ID.fullmatch(message_id):
        raise ConfigurationError(f"message_id: {printable(message_id)!r} is not of the form <id@host>")
    return message_id


def _ids(value: str | Iterable[str] | None, where: str) -> list[str]:
    if value is None:
        return []
    if not isinstance(value, Iterable):
        must_be_text(value, where)
    ids = value.split(" ") if isinstance(value, str) else list(value)
    for one in ids:
        must_be_text(one, where)
        if not _ANY_ID.fullmatch(one):
            raise ConfigurationError(f"{where}: {printable(one)!r} is not of the form <id@host>")
    return ids


def _header_items(headers: Headers) -> Iterable[tuple[str, str]]:
    pairs: Any = headers.items() if isinstance(headers, Mapping) else headers
    for pair in pairs if isinstance(pairs, Iterable) else (None,):
        if not isinstance(pair, tuple) or len(pair) != 2 or not isinstance(pair[0], str):
            raise ConfigurationError("headers: a mapping, or pairs of name and value, are needed")
        name, value = pair
        if _RESERVED.fullmatch(name):
            raise ConfigurationError(f"headers: {printable(name)} is made from other arguments, or not yours to write")
        for one in [value] if isinstance(value, str) or not isinstance(value, Iterable) else value:
            yield name, one
