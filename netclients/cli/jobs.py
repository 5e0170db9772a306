"""One file to be moved, and how that ended."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netclients.cli.stdio import standard_input
from netclients.cli.targets import Target
from netclients.errors import NetClientError, printable

if TYPE_CHECKING:
    from netclients.ftp.client import FTPClient
    from netclients.ftp.download import OnProgress
    from netclients.ftp.results import Download, Upload

__all__ = ["GetJob", "Job", "Outcome", "PutJob"]


@dataclass(frozen=True, slots=True)
class Job(ABC):
    """One file. ``target`` is the remote side, ``local`` the file here."""

    target: Target
    local: str
    resume: bool

    @property
    @abstractmethod
    def source(self) -> str:
        """Where from, to show."""

    @property
    @abstractmethod
    def destination(self) -> str:
        """Where to, to show."""

    @property
    @abstractmethod
    def operation(self) -> str:
        """What the client's events call it."""

    @abstractmethod
    async def run(self, client: FTPClient, progress: OnProgress | None) -> Download | Upload:
        """Do it."""


class GetJob(Job):
    """A download."""

    @property
    def source(self) -> str:
        """See :attr:`Job.source`."""
        return self.target.shown

    @property
    def destination(self) -> str:
        """See :attr:`Job.destination`."""
        return self.local

    @property
    def operation(self) -> str:
        """See :attr:`Job.operation`."""
        return f"RETR {self.target.path}"

    async def run(self, client: FTPClient, progress: OnProgress | None) -> Download:
        """See :meth:`Job.run`."""
        return await client.download(self.target.path, self.local, resume=self.resume, progress=progress)


class PutJob(Job):
    """An upload. The file ``-`` is standard input."""

    @property
    def source(self) -> str:
        """See :attr:`Job.source`."""
        return self.local

    @property
    def destination(self) -> str:
        """See :attr:`Job.destination`."""
        return self.target.shown

    @property
    def operation(self) -> str:
        """See :attr:`Job.operation`."""
        return f"STOR {self.target.path}"

    async def run(self, client: FTPClient, progress: OnProgress | None) -> Upload:
        """See :meth:`Job.run`."""
        source = standard_input() if self.local == "-" else self.local
        return await client.upload(source, self.target.path, resume=self.resume, progress=progress)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one job ended."""

    job: Job
    result: Download | Upload | None
    attempts: int
    error: NetClientError | None

    def as_json(self) -> str:
        """Return the documented object; ASCII, so that it passes every terminal and locale."""
        result, error = self.result, self.error
        fields = {
            "source": self.job.source,
            "destination": self.job.destination,
            "size": result.size if result else None,
            "seconds": round(result.seconds, 6) if result else None,
            "resumed_from": result.resumed_from if result else None,
            "verified": result.verified if result else None,
            "attempts": self.attempts,
            "error": printable(str(error)) if error else None,
            "error_type": type(error).__name__ if error else None,
        }
        return json.dumps(fields)
