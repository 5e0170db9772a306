"""Credentials that a URL does not have: from the environment, from netrc, or from a prompt.

They are never printed. Those in a URL can be seen in the list of processes; that can't be helped here.
"""

from __future__ import annotations

import getpass
import netrc
import os
import sys
from collections.abc import Callable, Mapping

from netclients.config import Login
from netclients.errors import ConfigurationError, printable

__all__ = ["Credentials"]

USER = "NETCLIENTS_USER"
PASSWORD = "NETCLIENTS_PASSWORD"  # noqa: S105 - a variable's name

_ANONYMOUS = frozenset({"anonymous", "ftp"})


def _ask(prompt: str) -> str:
    if sys.stdin is None or not sys.stdin.isatty():
        return ""
    try:
        return getpass.getpass(prompt, stream=sys.stderr)
    except EOFError:
        raise ConfigurationError("no password was given") from None


class Credentials:
    """Finds logins; looks and asks at most once for each host and user."""

    def __init__(self, environment: Mapping[str, str] | None = None, ask: Callable[[str], str] = _ask) -> None:
        self._environment = os.environ if environment is None else environment
        self._ask = ask
        self._netrc: netrc.netrc | None = None
        self._netrc_read = False
        self._found: dict[tuple[str, str | None], Login | None] = {}

    def complete(self, host: str, login: Login | None, *, has_password: bool) -> Login | None:
        """Return a login for ``host``: the URL's if that has a password, else the best that is known.

        Raises:
            ConfigurationError: netrc can't be read, or the prompt was left.
        """
        if login is not None and has_password:
            return login
        user = login.user if login is not None else None
        key = (host, user)
        if key not in self._found:
            self._found[key] = self._find(host, user)
        return self._found[key]

    def _find(self, host: str, user: str | None) -> Login | None:
        found = self._from_environment(user)
        if found is None:
            found = self._from_netrc(host, user)
        if found is None and user is not None:
            found = Login(user)
        if found is not None and not found.password and found.user not in _ANONYMOUS:
            shown = f"{printable(found.user)}@{printable(host)}"
            return Login(found.user, self._ask(f"Password for {shown}: "))
        return found

    def _from_environment(self, user: str | None) -> Login | None:
        """The URL's user goes with the environment's password, unless the environment means another user."""
        name, password = self._environment.get(USER), self._environment.get(PASSWORD, "")
        if user is None:
            return Login(name, password) if name else None
        if name and name != user:
            return None
        return Login(user, password) if password else None

    def _from_netrc(self, host: str, user: str | None) -> Login | None:
        content = self._read_netrc()
        found = content.authenticators(host) if content is not None else None
        if found is None:
            return None
        name, account, password = found
        # "default login anonymous" is how netrc says what happens without credentials anyway.
        if not name or name in _ANONYMOUS or user not in (None, name):
            return None
        return Login(name, password or "", account or None)

    def _read_netrc(self) -> netrc.netrc | None:
        if self._netrc_read:
            return self._netrc
        self._netrc_read = True
        named = self._environment.get("NETRC")
        try:
            self._netrc = netrc.netrc(named or None)
        except (netrc.NetrcParseError, UnicodeDecodeError) as error:
            line = getattr(error, "lineno", None)
            # The parser's own message may quote a password.
            raise ConfigurationError(
                f"{printable(named or '~/.netrc')}{f', line {line}' if line else ''}: "
                "can't be understood, or others may read it (chmod 600)"
            ) from None
        except OSError as error:
            if named:
                raise ConfigurationError(f"NETRC={printable(named)}: {error.strerror}") from None
        return self._netrc
