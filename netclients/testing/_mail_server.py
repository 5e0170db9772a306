"""What the embedded mail servers have in common for those who use them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Literal, Protocol

from ._mail_session import Counters
from ._server import EmbeddedServer, Severable
from .ftp_faults import Fault
from .smtp_faults import MailFaultScript

__all__ = ["TLS", "MailServer"]

TLS = Literal["none", "starttls", "implicit"]


class Governing(Protocol):
    """Rules that may change while the server runs."""

    tokens: Mapping[str, str]
    faults: MailFaultScript


class Serving(Protocol):
    """An engine, as far as every server needs it."""

    @property
    def counters(self) -> Counters:
        """What it has done so far."""

    def open_sessions(self) -> Iterable[Severable]:
        """Return the sessions that are under way."""

    async def shut(self) -> None:
        """Stop listening and cut all connections."""


class MailServer(EmbeddedServer):
    """A server whose engine follows rules."""

    _rules: Governing
    _engine: Serving

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._engine.shut()
        self._forget_files()

    def set_faults(self, faults: Iterable[Fault] = ()) -> None:
        """Replace the script of faults; counting starts anew."""
        script = MailFaultScript(faults)
        self._call(lambda: setattr(self._rules, "faults", script))

    def set_tokens(self, tokens: Mapping[str, str]) -> None:
        """Replace the tokens that XOAUTH2 and OAUTHBEARER accept: those of before have expired."""
        taken = dict(tokens)
        self._call(lambda: setattr(self._rules, "tokens", taken))

    def _sessions(self) -> Iterable[Severable]:
        return self._engine.open_sessions()
