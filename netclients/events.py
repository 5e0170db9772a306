"""Hooks and logging: what a client does, told to whoever wants to know.

Pass an :class:`Events` object as ``events=``. Independently of it, the loggers ``netclients.<protocol>`` show
the dialogue at DEBUG. Secrets are redacted before they come here.
"""

from __future__ import annotations

import logging

from netclients.errors import printable

__all__ = ["Events", "Trace"]


class Events:
    """Methods that a client calls as things happen. Override those that you need.

    They are called from the middle of an operation: return quickly, do not block. An exception is logged
    under ``netclients.events`` and goes no further. ``connection`` is a number that is unique within the
    process; ``seconds`` are durations.
    """

    def connection_opened(self, connection: int, host: str, port: int, seconds: float) -> None:
        """A connection is logged in and ready, ``seconds`` after it was wanted."""

    def connection_closed(self, connection: int, reason: str) -> None:
        """A connection was closed; ``reason`` says why in a few words."""

    def command(self, connection: int, command: str) -> None:
        """A command was sent, secrets as ``***``."""

    def reply(self, connection: int, code: int | None, text: str) -> None:
        """A reply arrived; ``code`` is its three digits, None in IMAP and POP3, whose replies begin with a word."""

    def retry(self, operation: str, attempt: int, delay: float, error: Exception) -> None:
        """Attempt number ``attempt`` (from 1) failed by ``error``; the next one comes after ``delay`` seconds."""

    def pool_wait(self, seconds: float) -> None:
        """An operation waited this long for a connection."""

    def bytes_moved(self, connection: int, received: int, sent: int) -> None:
        """A transfer ended, well or not; bytes of data that it received and sent."""

    def outcome_unknown(self, operation: str) -> None:
        """A command that changes something was sent, and cancelled before its reply came."""


_hook_log = logging.getLogger("netclients.events")


class Trace:
    """One client's way to tell: calls the hooks, writes the log."""

    __slots__ = ("_events", "_log")

    def __init__(self, protocol: str, events: Events | None) -> None:
        self._events = events
        self._log = logging.getLogger(f"netclients.{protocol}")

    @property
    def dialogue(self) -> bool:
        """Whether anybody listens to commands and replies."""
        return self._events is not None or self._log.isEnabledFor(logging.DEBUG)

    def command(self, connection: int, command: str) -> None:
        """See :meth:`Events.command`."""
        self._log.debug("%d > %s", connection, printable(command))
        self._call("command", connection, command)

    def reply(self, connection: int, code: int | None, text: str) -> None:
        """See :meth:`Events.reply`."""
        self._log.debug("%d < %s", connection, printable(text) if code is None else f"{code} {printable(text)}")
        self._call("reply", connection, code, text)

    def opened(self, connection: int, host: str, port: int, seconds: float) -> None:
        """See :meth:`Events.connection_opened`."""
        self._log.debug("%d connected to %s:%d in %.3f s", connection, printable(host), port, seconds)
        self._call("connection_opened", connection, host, port, seconds)

    def closed(self, connection: int, reason: str) -> None:
        """See :meth:`Events.connection_closed`."""
        self._log.debug("%d closed: %s", connection, reason)
        self._call("connection_closed", connection, reason)

    def retry(self, operation: str, attempt: int, delay: float, error: Exception) -> None:
        """See :meth:`Events.retry`."""
        self._log.info("%s: attempt %d failed, next in %.1f s: %s", printable(operation), attempt, delay, error)
        self._call("retry", operation, attempt, delay, error)

    def pool_wait(self, seconds: float) -> None:
        """See :meth:`Events.pool_wait`."""
        self._call("pool_wait", seconds)

    def moved(self, connection: int, received: int, sent: int) -> None:
        """See :meth:`Events.bytes_moved`."""
        self._call("bytes_moved", connection, received, sent)

    def outcome_unknown(self, operation: str) -> None:
        """See :meth:`Events.outcome_unknown`."""
        self._log.warning("%s: outcome unknown", printable(operation))
        self._call("outcome_unknown", operation)

    def _call(self, name: str, *args: object) -> None:
        if self._events is None:
            return
        hook = getattr(self._events, name, None)
        if hook is None:
            return
        try:
            hook(*args)
        except Exception:  # noqa: BLE001 - an observer must never break what it observes
            _hook_log.exception("events.%s raised", name)
