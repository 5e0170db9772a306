"""What each recipe is called, its knobs, where its files are, and why it may be missing on this machine."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
INSTALL_ROOT = Path(os.environ.get("ROOT", "/opt/realservers"))

COMMON_KNOBS = frozenset({"MODE", "TLS_VERSION", "MAX_CLIENTS", "MAX_PER_IP", "PASV_ADDRESS"})


@dataclass(frozen=True, slots=True)
class Recipe:
    """A script of this directory that becomes one FTP server. ``{port}`` stands for its control port.

    ``binary`` is looked for in the system and below the private root of ``install.sh``. ``directory`` is
    relative to the work directory, ``root`` and the logs to ``directory``.
    """

    name: str
    script: str
    binary: str
    user: str
    password: str
    directory: str
    root: str
    log: str
    command_log: str | None
    knobs: frozenset[str]
    default_mode: str = "optional"

    def missing(self) -> str | None:
        """Why this server can't run here, or None if it can."""
        if not sys.platform.startswith("linux"):
            return "not Linux"
        if os.geteuid() != 0:
            return "not root"
        if not any(path.exists() for path in (Path("/") / self.binary, INSTALL_ROOT / self.binary)):
            return "not installed"
        return None

    def check_knobs(self, knobs: dict[str, str]) -> None:
        """A misspelt knob would silently start the default configuration."""
        unknown = sorted(knobs.keys() - self.knobs)
        if unknown:
            raise ValueError(f"{self.name} has no {', '.join(unknown)}; it has {', '.join(sorted(self.knobs))}")


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="vsftpd",
            script="vsftpd.sh",
            binary="usr/sbin/vsftpd",
            user="ftptest",
            password="ftppass",
            directory="vsftpd-{port}",
            root="ftp",
            log="vsftpd.log",
            command_log="vsftpd.log",
            knobs=COMMON_KNOBS | {"REUSE", "IDLE_TIMEOUT", "PASV", "MAX_RATE", "ANONYMOUS", "LOG_PROTOCOL"},
        ),
        Recipe(
            name="proftpd",
            script="proftpd.sh",
            binary="usr/sbin/proftpd",
            user="alice",
            password="alicepw",
            directory="proftpd-{port}",
            root="home/alice",
            log="proftpd.log",
            command_log="commands.log",
            knobs=COMMON_KNOBS | {"REUSE", "IDLE_TIMEOUT", "MAX_INSTANCES", "MAX_PER_USER", "LOG_PROTOCOL"},
        ),
        Recipe(
            name="pureftpd",
            script="pure-ftpd.sh",
            binary="usr/sbin/pure-ftpd",
            # It counts the sessions of an account over all its servers on the machine.
            user="alice{port}",
            password="alicepw",
            directory="pure-ftpd-{port}",
            root="home/alice{port}",
            log="transfer.log",
            command_log=None,
            knobs=COMMON_KNOBS | {"IDLE_MINUTES", "MAX_PER_USER"},
        ),
    )
}
