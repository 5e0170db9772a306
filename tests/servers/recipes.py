"""What each recipe is called, its knobs, where its files are, and why it may be missing on this machine."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

from .family import GRACE
from .names import USERS

HERE = Path(__file__).parent
INSTALL_ROOT = Path(os.environ.get("ROOT", "/opt/realservers"))

COMMON_KNOBS = frozenset({"MODE", "TLS_VERSION", "MAX_CLIENTS", "MAX_PER_IP", "PASV_ADDRESS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A script of this directory that becomes one server.

    Every one of ``binaries`` is looked for in the system and below the private root of ``install.sh``.
    """

    name: str
    script: str
    binaries: tuple[str, ...]
    knobs: frozenset[str]

    def missing(self) -> str | None:
        """Why this server can't run here, or None if it can."""
        if not sys.platform.startswith("linux"):
            return "not Linux"
        if os.geteuid() != 0:
            return "not root"
        if not all((Path("/") / binary).exists() or (INSTALL_ROOT / binary).exists() for binary in self.binaries):
            return "not installed"
        return None

    def check_knobs(self, knobs: dict[str, str]) -> None:
        """A misspelt knob would silently start the default configuration."""
        unknown = sorted(knobs.keys() - self.knobs)
        if unknown:
            raise ValueError(f"{self.name} has no {', '.join(unknown)}; it has {', '.join(sorted(self.knobs))}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FTPRecipe(Recipe):
    """One FTP server. ``{port}`` stands for its control port.

    ``directory`` is relative to the work directory, ``root`` and the logs to ``directory``.
    """

    user: str
    password: str
    directory: str
    root: str
    log: str
    command_log: str | None
    default_mode: str = "optional"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRecipe(Recipe):
    """One server of mail or news.

    ``services`` maps what a test asks for to the variable that tells the script its port, ``spare`` those of ports
    that are its own affair; ``{port}`` in ``directory`` is that of the first service. ``queues`` are the
    directories, relative to ``directory``, in which there is a file for each message that is on its way. ``grace`` is
    how many seconds the server has to end by itself: none where it does not heed the signal at once.
    """

    directory: str
    log: str | None
    services: dict[str, str]
    grace: float = GRACE
    spare: dict[str, str] = field(default_factory=dict)
    queues: tuple[str, ...] = ()
    unix_sockets: dict[str, str] = field(default_factory=dict)
    users: tuple[str, ...] = USERS

    @property
    def ports(self) -> dict[str, str]:
        return self.services | self.spare


RECIPES = {
    recipe.name: recipe
    for recipe in (
        FTPRecipe(
            name="vsftpd",
            script="vsftpd.sh",
            binaries=("usr/sbin/vsftpd",),
            user="ftptest",
            password="ftppass",
            directory="vsftpd-{port}",
            root="ftp",
            log="vsftpd.log",
            command_log="vsftpd.log",
            knobs=COMMON_KNOBS | {"REUSE", "IDLE_TIMEOUT", "PASV", "MAX_RATE", "ANONYMOUS", "LOG_PROTOCOL"},
        ),
        FTPRecipe(
            name="proftpd",
            script="proftpd.sh",
            binaries=("usr/sbin/proftpd",),
            user="alice",
            password="alicepw",
            directory="proftpd-{port}",
            root="home/alice",
            log="proftpd.log",
            command_log="commands.log",
            knobs=COMMON_KNOBS | {"REUSE", "IDLE_TIMEOUT", "MAX_INSTANCES", "MAX_PER_USER", "LOG_PROTOCOL"},
        ),
        FTPRecipe(
            name="pureftpd",
            script="pure-ftpd.sh",
            binaries=("usr/sbin/pure-ftpd",),
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

# Dovecot asks Postfix to relay, and Postfix asks Dovecot who may: neither is of use without the other.
_PAIR = (
    "usr/lib/postfix/sbin/master",
    "usr/sbin/dovecot",
    *(f"usr/lib/dovecot/{protocol}" for protocol in ("imap", "pop3", "lmtp", "submission")),
)
# What users and tests of mailboxes may change, whoever keeps them.
MAILBOX_KNOBS = frozenset({"MODE", "WITHOUT", "MECHANISMS", "QUOTA", "QUOTA_MESSAGES", "MAX_PER_USER", "EXTRA"})

MAIL_RECIPES = {
    recipe.name: recipe
    for recipe in (
        MailRecipe(
            name="postfix",
            script="postfix.sh",
            binaries=_PAIR,
            knobs=frozenset({"DELIVERY", "CATCHALL", "MAX_MESSAGE_SIZE", "MAX_RECIPIENTS", "MAX_ERRORS", "EXTRA"}),
            directory="postfix-{port}",
            log="mail.log",
            services={"smtp": "SMTP_PORT", "smtps": "SMTPS_PORT", "submission": "SUBMISSION_PORT"},
            queues=tuple(f"queue/{queue}" for queue in ("maildrop", "incoming", "active", "deferred")),
        ),
        MailRecipe(
            name="dovecot",
            script="dovecot.sh",
            binaries=_PAIR,
            knobs=MAILBOX_KNOBS | {"MAX_MESSAGE_SIZE", "RELAY"},
            directory="dovecot-{port}",
            log="dovecot.log",
            services={
                "imap": "IMAP_PORT",
                "imaps": "IMAPS_PORT",
                "pop3": "POP3_PORT",
                "pop3s": "POP3S_PORT",
                "lmtp": "LMTP_PORT",
                "submission": "SUBMISSION_PORT",
                "submissions": "SUBMISSIONS_PORT",
                "auth": "AUTH_PORT",
            },
            spare={"imap behind the forwarder": "IMAP_REQUIRED_PORT", "pop3 behind it": "POP3_REQUIRED_PORT"},
            unix_sockets={"lmtp": "run/lmtp"},
        ),
        MailRecipe(
            name="cyrus",
            script="cyrus.sh",
            binaries=(
                *(f"usr/lib/cyrus/bin/{program}" for program in ("master", "imapd", "pop3d", "nntpd", "lmtpd")),
                "usr/sbin/saslpasswd2",
            ),
            knobs=MAILBOX_KNOBS,
            directory="cyrus-{port}",
            log=None,
            services={
                "imap": "IMAP_PORT",
                "imaps": "IMAPS_PORT",
                "pop3": "POP3_PORT",
                "pop3s": "POP3S_PORT",
                "lmtp": "LMTP_PORT",
                "nntp": "NNTP_PORT",
                "nntps": "NNTPS_PORT",
            },
            grace=0,
            users=tuple(user for user in USERS if user.isascii()),
        ),
        MailRecipe(
            name="exim",
            script="exim4.sh",
            binaries=("usr/sbin/exim4",),
            knobs=frozenset(
                {"MAX_MESSAGE_SIZE", "MAX_CLIENTS", "MAX_MESSAGES", "MAX_RECIPIENTS", "MAX_NONMAIL", "EXTRA"}
            ),
            directory="exim-{port}",
            log="log/mainlog",
            services={"smtp": "SMTP_PORT", "smtps": "SMTPS_PORT"},
            queues=("spool/input",),
        ),
        MailRecipe(
            name="smtp_sink",
            script="smtp-sink.sh",
            binaries=("usr/sbin/smtp-sink",),
            knobs=frozenset({"EXTRA"}),
            directory=".",
            log=None,
            services={"smtp": "PORT"},
        ),
    )
}

NEWS_RECIPES = {
    "inn": MailRecipe(
        name="inn",
        script="inn.sh",
        binaries=("usr/lib/news/bin/innd", "usr/lib/news/bin/nnrpd", "usr/sbin/saslpasswd2"),
        knobs=frozenset({"MODE", "OVMETHOD", "MECHANISMS", "EXTRA"}),
        directory="inn-{port}",
        log="log/errlog",
        grace=0,  # innd looks at the signal at its next event only
        services={"feed": "NNTP_PORT", "nntp": "READER_PORT", "nntps": "NNTPS_PORT"},
    )
}

ALL_RECIPES: dict[str, Recipe] = {**RECIPES, **MAIL_RECIPES, **NEWS_RECIPES}
