"""Servers that send too much, nonsense, or in clear behind STARTTLS: a clear error, within bounds, in time."""

from __future__ import annotations

import time
import tracemalloc

import anyio
import pytest

from netclients import MailSender, NetClientError, OutcomeUnknown, ProtocolError, RetryPolicy, Timeouts
from netclients.testing import ScriptedServer, SMTPServer
from netclients.testing.smtp_faults import InjectClear

pytestmark = pytest.mark.anyio

TEXT = b"Subject: hi\r\n\r\nhello\r\n"
ONCE = RetryPolicy(attempts=1)
QUICK = Timeouts(connect=5, handshake=5, reply=0.5, stall=0.5, pool=5, complete=0.5)

HELLO = "S: 220 here\nC: EHLO me\nS: 250-here\nS: 250 PIPELINING\n"
ENVELOPE = "C: RSET\nC: MAIL FROM:<a@x>\nC: RCPT TO:<b@x>\nC: DATA\n"
AGREED = "S: 250 reset\nS: 250 ok\nS: 250 ok\nS: 354 go\n"
BLOCK = "C: Subject: hi\nC: \nC: hello\nC: .\n"


async def attempt(server: ScriptedServer, **options: object) -> NetClientError:
    options.setdefault("timeouts", Timeouts(reply=10, complete=10, stall=10))
    async with MailSender(
        f"smtp://127.0.0.1:{server.port}",
        ehlo_name="me",
        retry=ONCE,
        **options,  # type: ignore[arg-type]
    ) as sender:
        with pytest.raises(NetClientError) as caught, anyio.fail_after(30):
            await sender.send(TEXT, "a@x", ["b@x"])
        assert sender.stats.open == 0
    return caught.value


@pytest.mark.parametrize(
    "flood",
    [
        "S*| x",
        "S*: 220-more",  # a reply that never ends
        "S*: 250-line",
        "S*| 250 " + "x" * 4096,  # one line without an end
    ],
)
@pytest.mark.parametrize("before", ["", "S: 220 here\nC: EHLO me\n", HELLO + ENVELOPE])
async def test_floods(before: str, flood: str) -> None:
    with ScriptedServer(f"{before}{flood}\n", ignore_rest=True) as server:
        tracemalloc.start()
        started = time.process_time()
        error = await attempt(server)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert isinstance(error, ProtocolError)
    assert peak < 16 * 1024 * 1024
    assert time.process_time() - started < 20


@pytest.mark.parametrize(
    "script",
    [
        "S: hello\n",
        "S: 22 short\n",
        "S: 354 go\n",
        "S: 100 wait\n",
        "S: 999 what\n",
        "S: \\xff\\xfe\n",
        "S: \n",
        HELLO + ENVELOPE + "S: what\n",
        HELLO + ENVELOPE + "S: 250 reset\nS: 250 ok\nS: 250 ok\nS: 100 wait\n",
        HELLO + ENVELOPE + AGREED + BLOCK + "S: nonsense\n",
        HELLO + ENVELOPE + AGREED + BLOCK + "S: 150 wait\n",
        HELLO + ENVELOPE + AGREED + BLOCK + "S: 354 once more\nS-close\n",
    ],
)
async def test_nonsense(script: str) -> None:
    with ScriptedServer(script + "C-close\n" * ("S-close" not in script), ignore_rest=True) as server:
        error = await attempt(server)
    assert isinstance(error, NetClientError)
    if BLOCK in script:
        assert isinstance(error, OutcomeUnknown), "the content may have been accepted"


async def test_text_that_is_not_ascii_is_shown_safely() -> None:
    script = HELLO + ENVELOPE + "S: 250 r\nS: 550 5.1.1 \\xe4\\x1b[31mred\nS: 503 x\nS: 503 x\nC: QUIT\n"
    with ScriptedServer(script, ignore_rest=True) as server:
        async with MailSender(f"smtp://127.0.0.1:{server.port}", ehlo_name="me", retry=ONCE) as sender:
            with pytest.raises(NetClientError) as caught:
                await sender.send(TEXT, "a@x", ["b@x"])
    assert str(caught.value).isprintable()
    assert "\x1b" not in str(caught.value)


async def test_a_reply_that_nobody_asked_for() -> None:
    """It never serves the next message."""
    script = HELLO + ENVELOPE + AGREED + BLOCK + "S| 250 queued\\r\\n250 and one more\\r\\n\n"
    with ScriptedServer(
        [script, HELLO + ENVELOPE + AGREED + BLOCK + "S: 250 queued\nC: QUIT\n"], ignore_rest=True
    ) as server:
        async with MailSender(f"smtp://127.0.0.1:{server.port}", ehlo_name="me", retry=ONCE) as sender:
            first = await sender.send(TEXT, "a@x", ["b@x"])
            second = await sender.send(TEXT, "a@x", ["b@x"])
    assert (first.ok, second.ok) == (True, True)
    assert second.reply is not None
    assert second.reply.text == "queued"


@pytest.mark.parametrize(
    "before", ["", "S: 220 here\nC: EHLO me\n", HELLO + ENVELOPE, HELLO + ENVELOPE + AGREED + BLOCK]
)
async def test_silence(before: str) -> None:
    with ScriptedServer(before + "C-close\n", ignore_rest=True) as server:
        started = time.monotonic()
        error = await attempt(server, timeouts=QUICK)
    assert isinstance(error, OutcomeUnknown if BLOCK in before else TimeoutError)
    assert time.monotonic() - started < 5


async def test_a_reply_byte_by_byte_gets_no_more_time() -> None:
    with ScriptedServer("S*| 2\n", ignore_rest=True) as server:
        assert isinstance(await attempt(server, timeouts=QUICK), NetClientError)


async def test_clear_text_behind_starttls() -> None:
    with SMTPServer(tls="starttls", users={"ada": "pw"}, faults=[InjectClear()]) as server:
        async with MailSender(server.url, ssl_context=server.client_context(), retry=ONCE) as sender:
            with pytest.raises(ProtocolError):
                await sender.send(TEXT, "a@x", ["b@x"])
        assert not {"AUTH", "MAIL"} & set(server.stats.commands)


async def test_extensions_of_before_tls_are_forgotten() -> None:
    """What was offered in clear may have been an attacker's: EHLO is said again."""
    with SMTPServer(tls="starttls") as server:
        async with MailSender(server.url, tls="starttls", ssl_context=server.client_context(), retry=ONCE) as sender:
            assert (await sender.send(TEXT, "a@x", ["b@x"])).ok
        assert server.stats.commands["EHLO"] == 2


@pytest.mark.parametrize("offers", [True, False])
async def test_opportunistic_tls(offers: bool) -> None:
    with SMTPServer(tls="starttls" if offers else "none") as server:
        async with MailSender(
            server.url, tls="opportunistic", ssl_context=server.client_context() if offers else None, retry=ONCE
        ) as sender:
            assert (await sender.send(TEXT, "a@x", ["b@x"])).ok
        assert server.messages[0].secure is offers


async def test_a_certificate_that_is_not_trusted() -> None:
    with SMTPServer(tls="starttls") as server:
        async with MailSender(server.url, tls="starttls", retry=ONCE) as sender:
            with pytest.raises(NetClientError):
                await sender.send(TEXT, "a@x", ["b@x"])
        assert "MAIL" not in server.stats.commands
