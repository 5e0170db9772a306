"""A mail sender on scripted streams, and messages to send."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from netclients import MailSender, RetryPolicy
from netclients import settings as settings_module
from tests.transport.scripted import ScriptedDialer, stream

Scripted = Callable[..., tuple[MailSender, ScriptedDialer]]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """Make a sender whose connections play scripts, each of which begins behind the reply to EHLO.

    A script that does not end the connection ends with QUIT.
    """

    def make(
        *scripts: str, extensions: str = "PIPELINING", chunk: int | None = None, url: str = "smtp", **options
    ) -> tuple[MailSender, ScriptedDialer]:
        hello = "LHLO" if url == "lmtp" else "EHLO"
        *words, last = ["here", *extensions.split(",")]
        offers = "".join(f"S: 250-{word}\n" for word in words) + f"S: 250 {last}\n"
        dialer = ScriptedDialer(
            *(stream(f"S: 220 ready\nC: {hello} me\n{offers}{_with_end(one)}", chunk=chunk) for one in scripts)
        )
        monkeypatch.setattr(settings_module, "Dialer", lambda **_: dialer)
        options.setdefault("retry", RetryPolicy(attempts=2, initial=0, maximum=0))
        return MailSender(f"{url}://127.0.0.1", ehlo_name="me", **options), dialer

    return make


def _with_end(script: str) -> str:
    return script if script.rstrip().endswith("-close") else f"{script}C: QUIT\n"
