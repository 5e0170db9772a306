"""Scripted faults of the embedded FTP server: what goes wrong, at which command, and how often.

Every fault names a verb (``"RETR"``; ``"*"`` is any) and optionally a pattern for its argument. It counts the
commands that match, lets the first `skip` pass, then fires at each `every`-th, at most `times` times. The
first fault in the list that fires takes the command; those that let others have their turn, such as
:class:`Delay`, say so.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True)
class Fault:
    """What all faults have in common; of no effect itself."""

    passes: ClassVar[bool] = False
    """Whether those behind it have their turn at the same command."""

    verb: str
    """The command, in any case; ``"*"`` stands for every one, ``"CONNECT"`` for the greeting."""
    argument: str = field(default="*", kw_only=True)
    """Shell-style pattern which the argument must match, in this case."""
    times: int | None = field(default=None, kw_only=True)
    """How often it fires; None: always."""
    skip: int = field(default=0, kw_only=True)
    """How many matching commands pass first."""
    every: int = field(default=1, kw_only=True)
    """Fires at every n-th of those after `skip`, beginning with the first."""

    def concerns(self, verb: str, argument: str) -> bool:
        """Tell whether a command is one of those that this fault counts."""
        return self.verb.upper() in ("*", verb) and fnmatch.fnmatchcase(argument, self.argument)


@dataclass(frozen=True, slots=True)
class Reply(Fault):
    """Answers with `text` instead of executing the command.

    `text` is sent with CRLF behind it, and may hold several lines parted by CRLF. An empty text is no reply
    at all: the server goes on with the next command.
    """

    text: str = "550 No."


@dataclass(frozen=True, slots=True)
class Delay(Fault):
    """Executes the command `seconds` late."""

    passes: ClassVar[bool] = True

    seconds: float = 0.1


@dataclass(frozen=True, slots=True)
class Stall(Fault):
    """Never answers, neither this command nor later ones, until the client closes the connection."""


@dataclass(frozen=True, slots=True)
class Hangup(Fault):
    """Cuts the control connection instead of answering.

    With `executed` the command takes effect first and only its final reply is lost: for RNTO, DELE or STOR
    the client can't know. `reset` sends a RST instead of a FIN.
    """

    executed: bool = False
    reset: bool = False


@dataclass(frozen=True, slots=True)
class CutData(Fault):
    """Cuts the data connection after `after` bytes of payload, or after a `share` (0 to 1) of it.

    Only transfers that are longer count: for downloads and listings the length is known in advance, for
    uploads it is not, so each counts, `after` is compared as bytes arrive, and `share` does not apply.

    `how`: ``"fin"`` ends the data connection as if the file ended there (over TLS without a close alert,
    unless `alert`), ``"reset"`` resets it, ``"stall"`` keeps it open and moves nothing more until the client
    closes the control connection or sends ABOR.
    `reply` follows on the control connection: None for silence, ``"226 ..."`` for a server that lies.
    With `hangup` the control connection is closed instead.
    """

    verb: str = "RETR"
    after: int = 0
    share: float | None = None
    how: Literal["fin", "reset", "stall"] = "reset"
    reply: str | None = "426 Connection closed; transfer aborted."
    alert: bool = False
    hangup: bool = False

    def point(self, size: int | None) -> int | None:
        """Return after how many bytes to cut a transfer of `size` bytes (None: unknown), or None."""
        if self.share is not None:
            return None if size is None else int(size * self.share)
        return None if size is not None and size <= self.after else self.after


class FaultScript:
    """Counts commands against a list of faults and says which of them fire."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults: Sequence[Fault] = tuple(faults)
        self._seen = [0] * len(self.faults)
        self._fired = [0] * len(self.faults)

    @property
    def fired(self) -> int:
        """How often faults have fired."""
        return sum(self._fired)

    def at_command(self, verb: str, argument: str) -> list[Fault]:
        """Return the faults that fire at this command: those that let others pass, then at most one more."""
        firing: list[Fault] = []
        for index, fault in enumerate(self.faults):
            if isinstance(fault, CutData) or not fault.concerns(verb, argument) or not self._counts(index):
                continue
            firing.append(fault)
            if not fault.passes:
                break
        return firing

    def at_transfer(self, verb: str, argument: str, size: int | None) -> tuple[CutData, int] | None:
        """Return the cut that a transfer of `size` bytes (None: unknown) gets, and after which byte."""
        for index, fault in enumerate(self.faults):
            if not isinstance(fault, CutData) or not fault.concerns(verb, argument):
                continue
            point = fault.point(size)
            if point is not None and self._counts(index):
                return fault, point
        return None

    def _counts(self, index: int) -> bool:
        """Count one command for a fault and tell whether it fires."""
        fault = self.faults[index]
        number = self._seen[index] - fault.skip
        self._seen[index] += 1
        if number < 0 or number % fault.every or (fault.times is not None and self._fired[index] >= fault.times):
            return False
        self._fired[index] += 1
        return True
