"""The blocking mail sender does what its twin does."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path

import pytest

from netclients import (
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    ConnectionLost,
    Events,
    LocalFileError,
    Login,
    OAuth,
    OutcomeUnknown,
    PermanentReplyError,
    PoolLimits,
    RecipientsRefused,
    RetryPolicy,
    UnsupportedError,
    compose,
)
from netclients.mail import Message
from netclients.smtp.client import Outgoing, Sendable
from netclients.smtp.types import Receipt
from netclients.sync import MailSender
from netclients.testing import CutContent, Greylist, Hangup, SMTPServer

GONE = "550 5.1.1 No such user."
QUICK = RetryPolicy(attempts=3, initial=0.01, maximum=0.02)
RAW = b"From: ada@example.org\r\nSubject: raw\r\n\r\nHello\r\n"


class Boom(Exception):
    pass


@pytest.fixture
def server() -> Iterator[SMTPServer]:
    with SMTPServer(refuse={"gone@example.org": GONE}) as server:
        yield server


@pytest.fixture
def sender(server: SMTPServer) -> Iterator[MailSender]:
    with MailSender(server.url, retry=QUICK, limits=PoolLimits(max_connections=3)) as sender:
        yield sender


def letter(number: int = 0, *more: str) -> Message:
    return compose(
        from_="ada@example.org",
        to=["bob@example.org", *more],
        subject=f"Nummer {number}: größer",
        text=f"{number}\n",
        attachments=[("a.bin", b"%d" % number * 100)],
    )


def content_of(message: Message) -> bytes:
    return b"".join(message.chunks())


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def raise_at(index: int) -> None:
    raise Boom(index)


def is_free(sender: MailSender) -> bool:
    stats = sender.stats
    return not (stats.in_use or stats.connecting or stats.waiting)


# One message


def test_send(sender: MailSender, server: SMTPServer) -> None:
    message = letter(1, "eve@example.org")
    receipt = sender.send(message)
    assert receipt.ok
    assert receipt.accepted == ("bob@example.org", "eve@example.org")
    assert receipt.message_id == message.message_id
    assert receipt.reply is not None
    assert receipt.reply.code == 250
    assert [received.content for received in server.messages] == [content_of(message)]
    assert server.violations == []
    assert is_free(sender)


def test_send_whatever_can_be_sent(sender: MailSender, server: SMTPServer, tmp_path: Path) -> None:
    standard = EmailMessage()
    standard["From"], standard["To"] = "ada@example.org", "bob@example.org"
    standard.set_content("Hello")
    (tmp_path / "raw.eml").write_bytes(RAW)
    sender.send(standard)
    sender.send(RAW, "", "bob@example.org")
    sender.send(bytearray(RAW.replace(b"\r\n", b"\n")), "ada@example.org", ["bob@example.org"], normalize=True)
    sender.send(tmp_path / "raw.eml", from_="ada@example.org", to=["bob@example.org"], mail_options=["RET=HDRS"])
    received = server.messages
    assert [one.content for one in received[1:]] == [RAW] * 3
    assert [one.sender for one in received] == ["ada@example.org", "", "ada@example.org", "ada@example.org"]
    assert "RET=HDRS" in received[3].mail_options


def test_attachments_are_read_while_they_are_sent(sender: MailSender, server: SMTPServer, tmp_path: Path) -> None:
    (tmp_path / "big.bin").write_bytes(bytes(range(256)) * 20_000)
    message = compose(from_="a@example.org", to="b@example.org", attachments=[tmp_path / "big.bin"])
    server.set_faults([CutContent(after=100_000, times=1)])
    receipt = sender.send(message)
    assert (receipt.ok, receipt.attempts) == (True, 2)
    assert server.messages[0].content == content_of(message)
    (tmp_path / "big.bin").unlink()
    with pytest.raises(LocalFileError):
        sender.send(message)
    assert len(server.messages) == 1


def test_without_a_block(server: SMTPServer) -> None:
    sender = MailSender(server.url)
    assert sender.send(letter()).ok
    sender.close()
    with pytest.raises(ConfigurationError):
        sender.send(letter())
    sender.close()


def test_over_starttls_with_a_login() -> None:
    with SMTPServer(users={"ada": "pw"}, tls="starttls", tls_required=True, require_auth=True) as server:
        with MailSender(server.url, ssl_context=server.client_context(), retry=QUICK) as sender:
            assert sender.send(letter()).ok
        assert (server.messages[0].secure, server.messages[0].authenticated) == (True, "ada")
        with MailSender(server.url.replace("pw", "wrong"), ssl_context=server.client_context(), retry=QUICK) as sender:
            with pytest.raises(AuthenticationError) as caught:
                sender.send(letter())
            assert "wrong" not in str(caught.value)
            [receipt] = sender.send_many([letter()])
            assert isinstance(receipt.error, AuthenticationError)
            assert receipt.unsent == ("bob@example.org",)


def test_a_token_provider() -> None:
    asked: list[int] = []

    def token() -> str:
        asked.append(threading.get_ident())
        return "secret-token"

    with (
        SMTPServer(tokens={"ada": "secret-token"}, tls="starttls") as server,
        MailSender(
            f"smtp://127.0.0.1:{server.port}", auth=OAuth("ada", token=token), ssl_context=server.client_context()
        ) as sender,
    ):
        assert sender.send(letter()).ok
        assert server.messages[0].authenticated == "ada"
    assert len(asked) == 1


def test_lmtp() -> None:
    with SMTPServer(lmtp=True, final_replies={"full@example.org": "552 5.2.2 Full."}) as server:
        with MailSender(server.url) as sender:
            receipt = sender.send(letter(1, "full@example.org"))
        assert receipt.accepted == ("bob@example.org",)
        assert receipt.refused["full@example.org"].code == 552


# Errors


def test_some_are_refused(sender: MailSender) -> None:
    receipt = sender.send(letter(1, "gone@example.org"))
    assert (receipt.ok, receipt.accepted) == (False, ("bob@example.org",))
    assert receipt.refused["gone@example.org"].enhanced == "5.1.1"
    receipt.raise_for_error()


def test_errors_carry_receipts(sender: MailSender, server: SMTPServer) -> None:
    with pytest.raises(RecipientsRefused) as refused:
        sender.send(RAW, "ada@example.org", "gone@example.org")
    assert refused.value.receipt.refused.keys() == refused.value.refused.keys() == {"gone@example.org"}
    assert not refused.value.temporary
    server.set_faults([Hangup("CONTENT", executed=True)])
    with pytest.raises(OutcomeUnknown) as unknown:
        sender.send(letter())
    assert unknown.value.receipt is not None
    assert unknown.value.receipt.unknown == ("bob@example.org",)
    assert len(server.messages) == 1  # it was, and was not sent again
    assert is_free(sender)


def test_put_off_and_sent_again(sender: MailSender, server: SMTPServer) -> None:
    server.set_faults([Greylist(recipients="eve@*")])
    receipt = sender.send(letter(1, "eve@example.org"))
    assert (receipt.ok, receipt.attempts) == (True, 2)
    assert [received.recipients for received in server.messages] == [("bob@example.org",), ("eve@example.org",)]


def test_nobody_listens() -> None:
    with SMTPServer() as gone:
        url = gone.url
    with MailSender(url, retry=RetryPolicy(attempts=1)) as sender:
        with pytest.raises(ConnectError):
            sender.send(letter())
        receipts = list(sender.send_many([letter(1), letter(2)]))
    assert [type(receipt.error) for receipt in receipts] == [ConnectError] * 2


def test_arguments_are_checked_as_by_the_twin(sender: MailSender, server: SMTPServer) -> None:
    with pytest.raises(ConfigurationError):
        MailSender("ftp://127.0.0.1")
    with pytest.raises(ConfigurationError):
        MailSender("smtp://127.0.0.1", pipelining="much")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        sender.send(RAW)
    with pytest.raises(ConfigurationError):
        sender.send("text")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        sender.send_many([letter()], concurrency=0)
    with pytest.raises(ConfigurationError):
        sender.send_many(b"text")  # type: ignore[arg-type]

    async def messages() -> object:
        yield letter()

    with pytest.raises(ConfigurationError, match="asynchronous"):
        sender.send_many(messages())  # type: ignore[arg-type]
    assert server.stats.connections == 0


# Many


def test_send_many_of_a_list(sender: MailSender, server: SMTPServer) -> None:
    messages = [letter(number) for number in range(60)]
    receipts = list(sender.send_many(messages))
    assert sorted(receipt.index for receipt in receipts) == list(range(60))
    assert all(receipt.ok and receipt.message_id == messages[receipt.index].message_id for receipt in receipts)
    assert sorted(received.content for received in server.messages) == sorted(map(content_of, messages))
    assert sender.stats.open <= 3
    assert is_free(sender)


def test_send_many_of_all_kinds(sender: MailSender, server: SMTPServer) -> None:
    messages: list[Sendable | Outgoing] = [
        letter(0),
        Outgoing(RAW, "ada@example.org", ["gone@example.org"]),
        RAW,  # has no envelope
        Outgoing(RAW, "ada@example.org", ["eve@example.org"], normalize=True),
    ]
    with sender.send_many(messages, concurrency=1) as stream:
        receipts = {receipt.index: receipt for receipt in stream}
    assert receipts[0].ok
    assert isinstance(receipts[1].error, RecipientsRefused)
    assert isinstance(receipts[2].error, ConfigurationError)
    assert receipts[3].accepted == ("eve@example.org",)
    with pytest.raises(RecipientsRefused):
        receipts[1].raise_for_error()
    assert len(server.messages) == 2


def test_a_generator_runs_in_the_callers_thread(sender: MailSender, server: SMTPServer) -> None:
    threads: set[int] = set()

    def messages() -> Iterator[Message]:
        for number in range(250):
            threads.add(threading.get_ident())
            yield letter(number)

    assert sum(receipt.ok for receipt in sender.send_many(messages())) == 250
    assert threads == {threading.get_ident()}
    assert len(server.messages) == 250


def test_a_generator_may_send(sender: MailSender, server: SMTPServer) -> None:
    def messages() -> Iterator[Message]:
        for number in range(5):
            assert sender.send(letter(number)).ok
            yield letter(number)

    assert len(list(sender.send_many(messages(), concurrency=1))) == 5
    assert len(server.messages) == 10


def test_what_a_generator_raises(sender: MailSender, server: SMTPServer) -> None:
    def messages() -> Iterator[Message]:
        yield letter(1)
        yield letter(2)
        raise Boom

    receipts: list[Receipt] = []
    with pytest.raises(Boom):
        receipts.extend(sender.send_many(messages()))
    assert all(receipt.ok for receipt in receipts)
    assert len(server.messages) == len(receipts) == 2
    wait_until(lambda: is_free(sender))


def test_breaking_out(sender: MailSender, server: SMTPServer) -> None:
    pulled = itertools.count()
    with sender.send_many(letter(next(pulled)) for _ in range(100_000)) as receipts:
        for receipt in receipts:
            assert receipt.ok
            if receipt.index > 20:
                break
    assert next(pulled) < 2000
    wait_until(lambda: is_free(sender))
    assert sender.send(letter()).ok
    sent = len(server.messages)
    time.sleep(0.05)
    assert len(server.messages) == sent  # nothing goes on behind our back


def test_dropped_without_a_block(sender: MailSender) -> None:
    receipts = sender.send_many(letter(number) for number in itertools.count())
    assert next(receipts).ok
    del receipts
    wait_until(lambda: is_free(sender))
    assert sender.send(letter()).ok


def test_an_exception_in_the_loop(sender: MailSender) -> None:
    receipts = sender.send_many(letter(number) for number in itertools.count())
    with pytest.raises(Boom), receipts:
        raise_at(next(receipts).index)
    wait_until(lambda: is_free(sender))


def test_nothing_to_send(sender: MailSender, server: SMTPServer) -> None:
    assert list(sender.send_many([])) == []
    assert list(sender.send_many(iter(()))) == []
    assert server.stats.connections == 0


# Connections


def test_connection(sender: MailSender, server: SMTPServer) -> None:
    with sender.connection() as connection:
        assert connection.extensions.has("CHUNKING")
        assert "ready" in connection.welcome
        assert (connection.secured, connection.authenticated) == (False, False)
        connection.noop()
        connection.mail("ada@example.org", ["RET=HDRS"])
        connection.rcpt("bob@example.org")
        with pytest.raises(PermanentReplyError):
            connection.rcpt("gone@example.org")
        assert connection.data(RAW).code == 250
        connection.mail("ada@example.org")
        connection.rcpt("eve@example.org")
        connection.bdat(RAW[:10])
        connection.bdat(RAW[10:], last=True)
        receipt = connection.sendmail("ada@example.org", ["carl@example.org"], RAW)
        assert receipt.accepted == ("carl@example.org",)
        with pytest.raises(RecipientsRefused):
            connection.sendmail("ada@example.org", ["gone@example.org"], RAW)
        connection.rset()
        assert connection.vrfy("bob").code == 252
        assert connection.command("HELP").code == 214
        assert connection.mails == 4
    assert [received.content for received in server.messages] == [RAW] * 3
    assert is_free(sender)


def test_the_session_of_a_connection() -> None:
    with (
        SMTPServer(users={"ada": "pw"}, tls="starttls", require_auth=True) as server,
        MailSender(f"smtp://127.0.0.1:{server.port}", tls="none", ssl_context=server.client_context()) as sender,
        sender.connection() as connection,
    ):
        assert connection.ehlo("me.example.org").has("STARTTLS")
        assert connection.starttls().has("AUTH")
        assert connection.secured
        with pytest.raises(AuthenticationError):
            connection.login("ada", "wrong")
        connection.auth(Login("ada", "pw"), mechanisms=["PLAIN"])
        assert connection.authenticated
        assert connection.help()
        with pytest.raises(UnsupportedError):
            connection.expn("list")
        connection.probe()
        connection.helo()
        with pytest.raises(UnsupportedError):
            connection.lhlo()
        assert connection.sendmail("a@example.org", ["b@example.org"], letter()).ok
        connection.quit()


def test_ends_of_connections(sender: MailSender, server: SMTPServer) -> None:
    for end in ("close", "abort"):
        with sender.connection() as connection:
            assert connection.clean
            getattr(connection, end)("enough")
            with pytest.raises(ConnectionLost):
                connection.noop()
    assert sender.send(letter()).ok
    assert server.stats.connections == 3


def test_a_connection_is_used_again(sender: MailSender, server: SMTPServer) -> None:
    with sender.connection() as connection:
        first = connection.number
    assert sender.send(letter()).ok
    with sender.connection() as connection:
        assert connection.number == first
    assert server.stats.connections == 1


# Threads


def test_many_threads_share_a_sender(sender: MailSender, server: SMTPServer) -> None:
    messages = [letter(number) for number in range(80)]
    with ThreadPoolExecutor(8) as executor:
        receipts = list(executor.map(sender.send, messages))
    assert [receipt.message_id for receipt in receipts if receipt.ok] == [message.message_id for message in messages]
    assert sorted(received.content for received in server.messages) == sorted(map(content_of, messages))
    assert server.stats.connections_peak <= 3
    assert server.violations == []


def test_batches_in_several_threads(sender: MailSender, server: SMTPServer) -> None:
    def batch(first: int) -> list[bool]:
        mine: set[int] = set()

        def messages() -> Iterator[Message]:
            for number in range(first, first + 30):
                mine.add(threading.get_ident())
                yield letter(number)

        oks = [receipt.ok for receipt in sender.send_many(messages(), concurrency=2)]
        assert mine == {threading.get_ident()}
        return oks

    with ThreadPoolExecutor(4) as executor:
        assert list(executor.map(batch, range(0, 120, 30))) == [[True] * 30] * 4
    assert len({received.content for received in server.messages}) == 120
    assert server.stats.connections_peak <= 3


def test_events(server: SMTPServer) -> None:
    commands: list[str] = []

    class Listener(Events):
        def command(self, connection: int, command: str) -> None:
            commands.append(command)

    with MailSender(server.url, events=Listener()) as sender:
        sender.send(letter())
    assert any(command.startswith("MAIL FROM") for command in commands)
