"""All that a response says, looked at: so that two ways of reading it can be compared."""

from __future__ import annotations

from netclients.errors import NetClientError
from netclients.imap.types import Fetched, Response, Unknown
from netclients.mail.reading import BodyPart, Envelope, MessageInfo

ITEMS = [name for name, value in vars(MessageInfo).items() if isinstance(value, property)]
FIELDS = [name for name, value in vars(Envelope).items() if isinstance(value, property)]


def told(response: Response) -> object:
    if isinstance(response, Unknown):
        return response.name, response.raw, str(response.error)
    if not isinstance(response, Fetched):
        return response
    sections = [name[5:].rpartition("]") for name in response._values if name.startswith("BODY[")]
    return (
        response.number,
        str(response.error),
        sorted(response._values),
        [_looked_at(response, name) for name in ITEMS],
        [_section(response, f"{name}{origin}") for name, _, origin in sections],
    )


def _looked_at(response: Fetched, name: str) -> object:
    try:
        value = getattr(response, name)
    except NetClientError as error:
        return type(error).__name__, str(error)
    assert getattr(response, name) == value, "looked at again, it is another"
    if isinstance(value, Envelope):
        return _envelope(value)
    if isinstance(value, BodyPart):
        return [(part.part, part.content_type, part.envelope and _envelope(part.envelope)) for part in value.walk()]
    return value


def _envelope(envelope: Envelope) -> object:
    repr(envelope)
    return [getattr(envelope, name) for name in FIELDS]


def _section(response: Fetched, name: str) -> object:
    try:
        return response.section(name)
    except NetClientError as error:
        return type(error).__name__, str(error)
