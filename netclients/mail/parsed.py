"""Messages that are objects of :mod:`email`: written out for the wire, and bytes made such objects again.

The standard library's generator changes the object while it writes it, writes names and message identifiers that
others misread, and takes twice as long; so the tree is written here. The standard library folds only the fields
that need its knowledge: parameters beyond ASCII, and fields of parsed messages, which stay as they came.

A message of another's making is written by the same walk in 7 bits, for servers without 8BITMIME.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email import policy as policies
from email.feedparser import FeedParser
from email.headerregistry import UnstructuredHeader
from email.message import EmailMessage
from email.message import Message as AnyEmail
from email.policy import EmailPolicy
from functools import lru_cache
from itertools import chain
from typing import Any, TypeAlias

from netclients.errors import ConfigurationError, LocalFileError, printable
from netclients.mail.addresses import Mailbox, all_in_ascii, checked_address, distinct, parse_mailboxes
from netclients.mail.fields import folded_text, mailboxes_field, text_field
from netclients.mail.message import Doubt, Envelope, Message
from netclients.mail.parts import encoded_body
from netclients.mail.pieces import base64_lines, crlf

__all__ = ["in_7bit", "message_of_email", "parse", "written_part"]

_Email: TypeAlias = "AnyEmail[Any, Any]"
_Items: TypeAlias = list[tuple[str, Any]]

_ADDRESSES = frozenset(
    f"{prefix}{name}" for prefix in ("", "resent-") for name in ("from", "sender", "to", "cc", "bcc")
)
_WRITTEN_ADDRESSES = _ADDRESSES | {"reply-to"}
_HIDDEN = ("bcc", "resent-bcc")
_FIELD_NAME = re.compile(r"[!-9;-~]+")
_SOUND = re.compile(rb"[^\r\n\0]*(?:\r\n[ \t][^\r\n\0]*)*\r\n")
_FOLD = re.compile(r"\r?\n(?=[ \t])")
_BOUNDARY = re.compile(r"[ -~]{0,69}[!-~]")
_ID = re.compile(r"<[^<>\s]+>")


def message_of_email(source: _Email) -> Message:
    """Return an object of :mod:`email` as a message; see :func:`~netclients.mail.message_of`."""
    with _our_errors():
        items = list(source.raw_items())
        envelope = _envelope(items)
        writer = _Writer(_wire_policy(source.policy, _needs_utf8(items), "8bit"))
        return _written(source, writer, _message_id(items), envelope)


def in_7bit(message: Message) -> Message | None:
    """Return ``message``, which must fit into memory, without a byte above 127; None if that would break it."""
    with _our_errors():
        source = parse(message.chunks())
        if any(name in source for name in ("DKIM-Signature", "ARC-Seal")):
            return None
        writer = _Writer(_wire_policy(policies.SMTP, False, "7bit"), seven_bit=True)
        try:
            written = _written(source, writer, message.message_id, _in_ascii(message.envelope))
        except _NotInAsciiError:
            return None
        return None if written.needs_8bit else written


def written_part(part: _Email) -> tuple[bytes, bytes]:
    """Return header section and body of one part of a message, in 7 bits if that is possible."""
    with _our_errors():
        writer = _Writer(_wire_policy(part.policy, False, "7bit"), seven_bit=True)
        header, body = writer.entity(part)
        return b"".join(header), b"".join(body)


def parse(chunks: Iterable[bytes]) -> EmailMessage:
    """Return the message that ``chunks`` are. Its header section may be in UTF-8 (RFC 6532).

    Raises:
        ConfigurationError: the standard library can't parse it.
    """
    with _our_errors():
        parser = FeedParser(EmailMessage, policy=policies.SMTP)
        chunks = iter(chunks)
        header = b""
        for chunk in chunks:
            header += chunk
            if b"\r\n\r\n" in header:
                break
        header, end, body = header.partition(b"\r\n\r\n")
        parser.feed(header.decode("utf-8", "surrogateescape") + end.decode("ascii"))
        for chunk in chain((body,), chunks):
            parser.feed(chunk.decode("ascii", "surrogateescape"))
        return parser.close()


@contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except (ConfigurationError, LocalFileError, _NotInAsciiError):
        raise
    except Exception as error:  # email raises what its parsers happen to meet
        raise ConfigurationError(
            f"the message can't be read or written: {type(error).__name__}: {printable(str(error))}"
        ) from error


class _NotInAsciiError(Exception):
    """An address has no form in ASCII."""


class _Serialized(Message):
    __slots__ = ()

    def as_7bit(self) -> Message | None:
        return in_7bit(self) if self.needs_8bit or self.needs_smtputf8 else self


def _written(source: _Email, writer: _Writer, message_id: str, envelope: Envelope) -> Message:
    fields, body = writer.entity(source, hide_bcc=True)
    header = b"".join(fields)
    content = b"".join([header, b"\r\n", *body])
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    return _Serialized(
        (content,),
        message_id=message_id,
        envelope=envelope,
        needs_8bit=not content.isascii(),
        needs_smtputf8=not header.isascii(),
        binary=b"\0" in content,
    )


@lru_cache(maxsize=16)
def _wire_policy(policy: Any, utf8: bool, cte_type: str) -> Any:
    """Return ``policy`` for the wire. Cloning one costs as much as writing a field."""
    if isinstance(policy, EmailPolicy):
        return policy.clone(linesep="\r\n", utf8=utf8, cte_type=cte_type)
    if utf8:
        return policies.SMTPUTF8.clone(cte_type=cte_type)
    return policy.clone(linesep="\r\n", cte_type=cte_type)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes parts. ``verbatim``: within what is signed, where nothing may be folded or encoded anew."""

    policy: Any
    seven_bit: bool = False
    verbatim: bool = False

    def entity(self, part: _Email, *, hide_bcc: bool = False) -> tuple[list[bytes], list[bytes]]:
        """Return the fields and the body of a part or a message."""
        body: list[bytes] = []
        part, encoding = self._body(part, body)
        fields: list[bytes] = []
        for name, value in part.raw_items():
            lowered = name.lower()
            if hide_bcc and lowered in _HIDDEN:
                continue
            if encoding and lowered == "content-transfer-encoding":
                continue
            fields.append(self._field(name, lowered, value))
        if encoding:
            fields.append(f"Content-Transfer-Encoding: {encoding}\r\n".encode("ascii"))
        return fields, body

    def _body(self, part: _Email, body: list[bytes]) -> tuple[_Email, str]:
        """Write the body; return the part with the fields to write, and its new encoding if it got one."""
        # get_payload() would decode it.
        payload = vars(part)["_payload"]
        if payload is None:
            return part, ""
        if isinstance(payload, str):
            return part, self._leaf(part, payload, body)
        if not isinstance(payload, list):
            raise ConfigurationError(f"a part of the message holds a {type(payload).__name__}, not text")
        kind = part.get_content_maintype()
        if kind == "multipart":
            return self._multipart(part, payload, body)
        if kind == "message":
            self._messages(payload, body)
            return part, "7bit" if self._recodes(part) else ""
        raise ConfigurationError(f"a part of type {printable(part.get_content_type())} can't have parts")

    def _recodes(self, part: _Email) -> bool:
        if not self.seven_bit or self.verbatim:
            return False
        return str(part.get("Content-Transfer-Encoding", "")).strip().lower() in ("8bit", "binary")

    def _leaf(self, part: _Email, payload: str, body: list[bytes]) -> str:
        data = payload.encode("ascii", "surrogateescape")
        if data.isascii() or not self.seven_bit or self.verbatim:
            body.append(crlf(data))
            return ""
        if part.get_content_maintype() == "text":
            encoding, text = encoded_body(crlf(data).replace(b"\r\n", b"\n"))
        else:
            encoding, text = "base64", base64_lines(data)
        body.append(text)
        return encoding

    def _multipart(self, part: _Email, parts: list[_Email], body: list[bytes]) -> tuple[_Email, str]:
        recodes = self._recodes(part)
        boundary = part.get_boundary()
        if not boundary:
            boundary = f"=_{os.urandom(15).hex()}"
            part = copy.copy(part)
            part.set_boundary(boundary)
        if not _BOUNDARY.fullmatch(boundary):
            raise ConfigurationError(f"{printable(boundary)!r} can't be the boundary of a multipart")
        writer = self
        if part.get_content_subtype() == "signed" and not self.verbatim:
            writer = replace(self, verbatim=True, policy=self.policy.clone(max_line_length=0))
        if part.preamble is not None:
            body += [_octets(part.preamble), b"\r\n"]
        delimiter = f"--{boundary}".encode("ascii")
        body += [delimiter, b"\r\n"]
        for number, one in enumerate(parts):
            if number:
                body += [b"\r\n", delimiter, b"\r\n"]
            fields, inner = writer.entity(one)
            body += [*fields, b"\r\n", *inner]
        body += [b"\r\n", delimiter, b"--\r\n"]
        if part.epilogue is not None:
            body.append(_octets(part.epilogue))
        return part, "7bit" if recodes else ""

    def _messages(self, messages: list[_Email], body: list[bytes]) -> None:
        """Write the message in a message/rfc822, or the groups of fields in a message/delivery-status."""
        for number, one in enumerate(messages):
            # What others wrote into Bcc concerns our recipients even less.
            fields, inner = self.entity(one, hide_bcc=not self.verbatim)
            if len(messages) == 1:
                body += [*fields, b"\r\n", *inner]
            else:
                body += [b"\r\n" if number else b"", *fields, *inner]

    def _field(self, name: str, lowered: str, value: Any) -> bytes:
        if not _FIELD_NAME.fullmatch(name):
            raise ConfigurationError(f"{printable(name)!r} can't be the name of a header")
        parsed = hasattr(value, "name")
        if (parsed or isinstance(value, str)) and not self.verbatim:
            text = str(value)
            if self.seven_bit and not parsed:
                text = _as_utf8(text)
            # A decoded text that looks encoded would be decoded once more.
            if text.isascii() and text.isprintable() and not (parsed and "=?" in text):
                return folded_text(name, text)
            if lowered in _WRITTEN_ADDRESSES and (found := self._mailboxes(text, value)):
                return mailboxes_field(name, found)
            if isinstance(value, UnstructuredHeader):
                return text_field(name, text)
            if self.seven_bit and not parsed:
                value = self.policy.header_factory(name, _FOLD.sub("", text)) if _is_new(self.policy) else text
        folded: bytes = self.policy.fold_binary(name, value)
        if not _SOUND.fullmatch(folded):
            raise ConfigurationError(f"the header {printable(name)} has a line end or NUL that would break the message")
        return folded

    def _mailboxes(self, text: str, value: Any) -> tuple[Mailbox, ...]:
        """Return what the value of an address field holds; nothing if only the standard library can write it."""
        if not hasattr(value, "name") and not self.seven_bit and _has_surrogates(text):
            return ()
        if any(group.display_name is not None for group in getattr(value, "groups", ())):
            return ()
        try:
            found = _mailboxes(value if hasattr(value, "addresses") else text)
        except ConfigurationError:
            return ()
        if self.seven_bit:
            addresses = all_in_ascii(mailbox.address for mailbox in found)
            if addresses is None:
                raise _NotInAsciiError
            found = tuple(Mailbox(box.name, address) for box, address in zip(found, addresses, strict=True))
        return found


def _is_new(policy: Any) -> bool:
    return isinstance(policy, EmailPolicy)


def _octets(text: str) -> bytes:
    return crlf(text.encode("ascii", "surrogateescape"))


def _has_surrogates(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _as_utf8(text: str) -> str:
    """Return the text whose bytes the parser kept as surrogates."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        return text


def _message_id(items: _Items) -> str:
    for name, value in items:
        if name.lower() == "message-id":
            match = _ID.search(str(value))
            return match[0] if match else ""
    return ""


def _needs_utf8(items: _Items) -> bool:
    """Tell whether an address can only be written in UTF-8."""
    for name, value in items:
        if name.lower() in _WRITTEN_ADDRESSES and not str(value).isascii():
            try:
                found = _mailboxes(value)
            except ConfigurationError:
                continue
            if not all(mailbox.address.isascii() for mailbox in found):
                return True
    return False


def _envelope(items: _Items) -> Envelope:
    """Return sender and recipients as RFC 5322 sections 3.6.2, 3.6.3 and 3.6.6 name them.

    A message that was sent anew is for those whom its Resent fields name. Of several such blocks nobody can tell for
    sure which fields belong together.
    """
    fields: dict[str, list[Any]] = {}
    for name, value in items:
        if (lowered := name.lower()) in _ADDRESSES:
            fields.setdefault(lowered, []).append(value)
    prefix = ""
    if resent := [values for name, values in fields.items() if name.startswith("resent-")]:
        prefix = "resent-"
        if max(map(len, resent)) > 1:
            doubt = Doubt("the message has been resent more than once: say from_= and to=")
            return doubt, doubt
    return _sender(fields, prefix), _recipients(fields, prefix)


def _sender(fields: dict[str, list[Any]], prefix: str) -> str | Doubt:
    for name in ("sender", "from"):
        for value in fields.get(prefix + name, ()):
            try:
                found = _mailboxes(value)
            except ConfigurationError as error:
                return Doubt(str(error))
            if found:
                return found[0].address
    return ""


def _recipients(fields: dict[str, list[Any]], prefix: str) -> tuple[str, ...] | Doubt:
    found: list[Mailbox] = []
    for name in ("to", "cc", "bcc"):
        for value in fields.get(prefix + name, ()):
            try:
                found += _mailboxes(value)
            except ConfigurationError as error:
                return Doubt(str(error))
    return distinct(found)


def _in_ascii(envelope: Envelope) -> Envelope:
    sender, recipients = envelope
    if isinstance(sender, Doubt) or isinstance(recipients, Doubt):
        return envelope
    addresses = all_in_ascii((*recipients, sender) if sender else recipients)
    if addresses is None:
        raise _NotInAsciiError
    return (addresses[-1], addresses[:-1]) if sender else ("", addresses)


def _mailboxes(value: Any) -> tuple[Mailbox, ...]:
    """Return the mailboxes of a field, the members of groups among them."""
    addresses = getattr(value, "addresses", None)
    if addresses is not None:
        return tuple(
            Mailbox(address.display_name, checked_address(address.addr_spec, "the message")) for address in addresses
        )
    text = _FOLD.sub("", _as_utf8(str(value)))
    return parse_mailboxes(text, "the message", groups=True) if text.strip() else ()
