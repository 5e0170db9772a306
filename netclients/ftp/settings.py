"""What an FTP client was told, and what it has learned about its server. Shared by its connections."""

from __future__ import annotations

from dataclasses import dataclass

from netclients import settings
from netclients.config import Login
from netclients.ftp.types import ServerKind

__all__ = ["Learned", "Settings"]

_READS_AHEAD = frozenset({ServerKind.VSFTPD, ServerKind.PROFTPD, ServerKind.PUREFTPD, ServerKind.PYFTPDLIB})
_READS_AFTER_TRANSFER = frozenset({ServerKind.VSFTPD, ServerKind.PROFTPD, ServerKind.PUREFTPD})


@dataclass(slots=True)
class Learned:
    """What the connections of one client found out about the server, so that each mistake is made once.

    ``extended_passive``: EPSV leads to a connection. ``logged_in``: these credentials have worked, so that a
    later 530 speaks of something else. ``mlsd`` and ``mlst``: the command works if it was announced.
    ``tls13_data``: the server bears resumed TLS 1.3 sessions on data connections.
    """

    extended_passive: bool = True
    logged_in: bool = False
    mlsd: bool = True
    mlst: bool = True
    tls13_data: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(settings.Settings):
    """How to reach the server and how to talk to it. ``active``: the server opens the data connections."""

    login: Login
    encoding: str
    active: bool
    learned: Learned

    def reads_ahead(self, kind: ServerKind) -> bool:
        """Whether a server of this kind is known to execute commands in order that arrive together."""
        return kind in _READS_AHEAD

    def reads_after_transfer(self, kind: ServerKind) -> bool:
        """Whether it leaves a command alone that arrives during a transfer, and answers it afterwards.

        pyftpdlib, for one, gives the running transfer up.
        """
        return kind in _READS_AFTER_TRANSFER
