"""What the figures were measured on, without names of hosts or paths."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version

PROGRAMS = {
    "vsftpd": "vsftpd -v",
    "curl": "curl --version",
    "lftp": "lftp --version",
    "Postfix (and its smtp-sink)": "postconf -d mail_version",
    "Dovecot": "dovecot --version",
}
PACKAGES = ("netclients", "anyio", "uvloop", "trio", "aioftp", "aiosmtplib", "imapclient", "aioimaplib")


def describe() -> str:
    """Return a list in Markdown."""
    lines = [
        f"- {_cpu()}, {os.cpu_count()} CPUs, {_memory()} of memory",
        f"- {platform.system()} {platform.release()}, Python {platform.python_version()}, {_openssl()}",
        f"- {', '.join(f'{name} {_package(name)}' for name in PACKAGES)}",
        f"- {', '.join(f'{name} {_program(command)}' for name, command in PROGRAMS.items())}",
        f"- load average at the start: {os.getloadavg()[0]:.1f} (work of others makes all figures doubtful)",
    ]
    return "\n".join(lines)


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = re.findall(r"model name\s*:\s*(.+)", file.read())
    except OSError:
        names = []
    return names[0] if names else platform.machine()


def _memory() -> str:
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{size / 1024**3:.0f} GiB"


def _openssl() -> str:
    import ssl

    return ssl.OPENSSL_VERSION


def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _program(command: str) -> str:
    try:
        # vsftpd prints its version on its standard input.
        ended = subprocess.run(f"{command} 0>&1", shell=True, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "missing"
    found = re.search(r"\d+\.\d+[.\d]*", ended.stdout)
    return found[0] if found else "missing"
