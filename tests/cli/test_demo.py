"""``netclients demo``."""

from __future__ import annotations

import io
import os
import re
import signal
from dataclasses import replace

import anyio
import pytest
from rich.console import Console

from netclients.cli.demo import corpus, letters, mail, reading
from netclients.cli.demo import run as demo
from netclients.cli.demo.addresses import ACCENTED, AFTER, AMID, BEFORE, SHY
from netclients.cli.demo.board import make_board
from netclients.cli.demo.corpus import make_corpus
from netclients.cli.demo.mail import MailScenario
from netclients.cli.demo.mailboxes import audit
from netclients.cli.demo.reading import ReadingLeg
from netclients.cli.demo.scenario import Leg
from netclients.cli.demo.servers import Address
from netclients.cli.sizes import human_size, parse_size
from netclients.smtp.types import Receipt
from netclients.testing import IMAPServer, SMTPServer, certificates
from netclients.wire.replies import Reply

BOUND = 60  # seconds; the promise of 15 is for a machine that does nothing else meanwhile


def test_everything_is_verified_and_cleaned_up(spawn, environment, tmp_path):
    work = tmp_path / "tmp"
    work.mkdir()
    process = spawn("demo", env={**environment, "TMPDIR": str(work)})
    stdout, stderr = process.communicate(timeout=BOUND)
    assert (process.returncode, stderr) == (0, b"")
    assert stdout.count(b"300/300 files") == 2
    assert stdout.count(b"240/240 messages") == 2
    [(verified, items)] = re.findall(rb"IMAP\+TLS .* (\d+)/(\d+) messages", stdout)
    assert 230 < int(verified) == int(items) <= 240
    assert b"everything is right" in stdout
    assert all(len(line) <= 80 for line in stdout.splitlines() if b"KiB/s" in line or b"MiB/s" in line)
    assert list(work.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize("stage", [b"downloading", b"sending", b"reading"])
def test_interrupted(stage, spawn, environment, tmp_path):
    work = tmp_path / "tmp"
    work.mkdir()
    process = spawn("demo", env={**environment, "TMPDIR": str(work)})
    while stage not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=BOUND)
    assert process.returncode == 130
    assert b"Traceback" not in stderr
    assert list(work.iterdir()) == []


def test_a_small_one_with_live_bars(monkeypatch):
    mix = (("small", 60, 1000, 5000), ("medium", 20, 20_000, 90_000), ("large", 4, 1_000_000, 2_000_000))
    monkeypatch.setattr(corpus, "_MIX", mix)
    monkeypatch.setattr(letters, "_MIX", (("small", 70, 100, 5000), ("large", 4, 500_000, 900_000)))
    screen = io.StringIO()
    assert demo.run_demo(Console(file=screen, force_terminal=True, width=100))
    shown = screen.getvalue()
    assert shown.count("84/84 files") >= 2
    assert shown.count("74/74 messages") >= 2
    assert "cuts all connections" in shown
    assert "came back as they were sent" in shown


class Failing:
    async def run(self, board, work):
        board.say("something")
        return [Leg(name="X", unit="files", items=2, verified=1, size=10, seconds=1, cuts=0, retries=0, resumed=0)]


@pytest.fixture
def failing(monkeypatch):
    monkeypatch.setattr(demo, "FTPScenario", Failing)
    monkeypatch.setattr(demo, "MailScenario", Failing)


@pytest.mark.usefixtures("failing")
def test_what_is_not_verified_is_a_failure(cli):
    screen = io.StringIO()
    assert demo.run_demo(Console(file=screen)) is False
    assert "FAILED" in screen.getvalue()
    assert cli("demo").exit_code == 1


@pytest.mark.usefixtures("failing")
def test_live_board():
    screen = io.StringIO()
    demo.run_demo(Console(file=screen, force_terminal=True))
    assert "something" in screen.getvalue()


def test_needs_its_extra(monkeypatch, cli):
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: None)
    result = cli("demo")
    assert result.exit_code == 2
    assert "netclients[demo]" in result.stderr


def test_files_are_the_same_in_every_run(tmp_path):
    corpora = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        corpora.append(make_corpus(tmp_path / name))
    first, second = corpora
    assert first.checksums == second.checksums
    assert first.size == sum(path.stat().st_size for path in first.root.iterdir())
    assert len(set(first.checksums.values())) == len(first.checksums)
    assert first.count_verified(second.root) == len(first.checksums)
    damaged = next(second.root.iterdir())
    damaged.write_bytes(damaged.read_bytes()[:-1])
    next(path for path in second.root.iterdir() if path != damaged).unlink()
    assert first.count_verified(second.root) == len(first.checksums) - 2


def test_mail_alone(tmp_path):
    screen = io.StringIO()

    async def run():
        with make_board(Console(file=screen, width=200)) as board:
            return await MailScenario().run(board, tmp_path)

    legs = anyio.run(run)
    shown = screen.getvalue()
    *legs, read = legs
    assert [(leg.items, leg.verified, leg.resumed) for leg in legs] == [(240, 240, None)] * 2
    # Whoever is accepted has it; of those in doubt some are there, too.
    assert 230 < read.verified == read.items <= 240
    assert read.cuts > 5
    assert read.retries > 5
    assert re.search(r"came back as they were sent, (7|8)\d attachments were saved", shown)
    # Cuts amid and before contents are made good for; those behind them leave six messages in doubt in each leg.
    assert all(leg.cuts > 10 and leg.retries > 10 for leg in legs)
    doubts = re.findall(r"of (\d+) nobody knows, as the reply was lost: (\d+) of them have the message", shown)
    assert len(doubts) == 2
    assert len(set(doubts)) == 1
    unknown, found = map(int, doubts[0])
    assert 3 <= found <= unknown - 3
    assert "should not be" not in shown


def test_a_mail_leg_that_goes_wrong(composed):
    screen = io.StringIO()
    with SMTPServer() as gone:
        address = Address(gone.url, None)
    with make_board(Console(file=screen, width=200)) as board:
        leg = mail._Leg(board, composed[:1], "plain")
        anyio.run(leg.run, address)
        row = leg.result({"cuts": 0, "copies": [("somebody@else.test", "0" * 64)]})
    assert (row.good, row.verified) == (False, 0)
    assert "1 messages are where they should not be" in screen.getvalue()
    assert f"{composed[0].message.message_id}: " in screen.getvalue()


def read_back(letters, receipts, directory, contents):
    """Return the row of what is read from a mailbox with these contents, and what was said."""
    screen = io.StringIO()
    with (
        IMAPServer(users={"demo": "demo"}, tls="starttls") as server,
        make_board(Console(file=screen, width=200)) as board,
    ):
        for content in contents:
            server.add("demo", "INBOX", content)
        leg = ReadingLeg(board, letters, receipts)
        anyio.run(leg.run, Address(server.url, certificates.ca_pem().decode()), directory)
    return leg.result(0), screen.getvalue()


def contents_of(letters):
    return [b"".join(letter.message.chunks()) for letter in letters]


def test_what_is_read_back(composed, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_SAVED", 1)
    few = composed[:6]
    receipts = told(few)[0]
    first, second, *others = contents_of(few)
    row, said = read_back(few, receipts, tmp_path / "a", [first, first, second, *others])
    wanted = sum(bool(receipt.accepted) for receipt in receipts)
    assert (row.verified, row.items, row.good) == (6, 6, True)
    assert wanted >= 5
    assert "6 of 6 messages came back as they were sent, 7 attachments were saved" in said

    damaged = first[:-3] + b"x" + first[-2:]
    longer = second + b"more\r\n"
    row, _ = read_back(few, receipts, tmp_path / "b", [damaged, longer, *others])
    assert (row.verified, row.items, row.good) == (4, 6, False)
    row, _ = read_back(few, receipts, tmp_path / "c", [first, damaged, second, *others])
    assert (row.verified, row.items) == (5, 6)
    row, _ = read_back(few, receipts, tmp_path / "d", [first, second, *others, b"Subject: nobody's\r\n\r\n"])
    assert (row.verified, row.items) == (6, 7)
    row, said = read_back(few, receipts, tmp_path / "e", [])
    assert (row.verified, row.items) == (0, wanted)
    assert f"0 of {wanted} messages" in said


def test_attachments_are_compared(composed, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_SAVED", 1)
    wrong = [replace(composed[0], attachment="0" * 64)]
    row, _ = read_back(wrong, told(wrong)[0], tmp_path / "a", contents_of(wrong))
    assert (row.verified, row.items) == (0, 1)
    (tmp_path / "file").write_text("")
    row, said = read_back(composed[:1], told(composed[:1])[0], tmp_path / "file", contents_of(composed[:1]))
    assert (row.verified, row.items) == (0, 1)
    assert "file" in said


@pytest.fixture(scope="module")
def composed(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(letters, "_MIX", (("small", 90, 100, 5000), ("large", 3, 100_000, 200_000), ("huge", 2, 9, 9)))
        return letters.make_letters(tmp_path_factory.mktemp("attachments"))


def test_messages_are_of_all_kinds(composed):
    digests = {letter.sha256 for letter in composed}
    assert len(digests) == len(composed) == 95
    recipients = {address for letter in composed for address in letter.message.recipients}
    assert {SHY, ACCENTED} <= recipients
    assert any(letter.gone == set(letter.message.recipients) for letter in composed)
    assert any(letter.gone < set(letter.message.recipients) for letter in composed if letter.gone)
    senders = [letter.message.from_.partition("-")[0] for letter in composed]
    assert [senders.count(name) for name in (AMID, BEFORE, AFTER)] == [2, 3, 3]
    assert any(letter.message.content is None for letter in composed)  # an attachment is a file
    parsed = composed[5].message.as_email_message()
    [attached] = parsed.iter_attachments()
    assert "größe" in attached.get_filename()


def told(composed):
    """Receipts of a server that has accepted everybody but those who are gone, and what is in its mailboxes."""
    receipts, copies = [], []
    for index, letter in enumerate(composed):
        accepted = tuple(address for address in letter.message.recipients if address not in letter.gone)
        refused = dict.fromkeys(letter.gone, Reply(550, ("No.",)))
        receipts.append(Receipt("", accepted=accepted, refused=refused, index=index))
        copies += [(address, letter.sha256) for address in accepted]
    return receipts, copies


def test_audit_of_the_truth(composed):
    receipts, copies = told(composed)
    found = audit(composed, receipts, copies)
    assert (found.right, found.strays, found.unknown) == (len(composed), 0, 0)
    assert found.accepted == len(copies)
    assert found.refused == sum(len(letter.gone) for letter in composed) > 0


def test_audit_of_lies(composed):
    receipts, copies = told(composed)
    right = len(composed)
    first = copies[0]
    assert audit(composed, receipts, copies[1:]).right == right - 1  # lost
    assert audit(composed, receipts, [*copies, first]).right == right - 1  # twice
    assert audit(composed, receipts[1:], copies).right == right - 1  # no receipt
    damaged = audit(composed, receipts, [(first[0], "0" * 64), *copies[1:]])
    assert (damaged.right, damaged.strays) == (right - 1, 1)
    assert audit(composed, receipts, [*copies, ("somebody@else.test", first[1])]).strays == 1

    place = next(index for index, letter in enumerate(composed) if letter.gone)
    gone = next(iter(composed[place].gone))
    assert audit(composed, receipts, [*copies, (gone, composed[place].sha256)]).right == right - 1
    liar = replace(receipts[place], accepted=composed[place].message.recipients, refused={})
    assert audit(composed, [*receipts[:place], liar, *receipts[place + 1 :]], copies).right == right - 1


def test_audit_of_doubts(composed):
    receipts, copies = told(composed)
    honest = replace(receipts[0], accepted=(), unknown=receipts[0].accepted)
    receipts[0] = honest
    both = audit(composed, receipts, copies)
    assert (both.right, both.unknown, both.found) == (len(composed), len(honest.unknown), len(honest.unknown))
    neither = audit(composed, receipts, copies[len(honest.unknown) :])
    assert (neither.right, neither.found) == (len(composed), 0)
    assert audit(composed, receipts, [*copies, copies[0]]).right == len(composed) - 1
    receipts[0] = replace(honest, unknown=(), unsent=honest.unknown)
    assert audit(composed, receipts, copies[len(honest.unknown) :]).right == len(composed) - 1


@pytest.mark.parametrize(
    ("text", "count"),
    [("1", 1), ("4096", 4096), ("500K", 512_000), ("10M", 10 << 20), ("1.5g", 1.5 * 2**30), ("2MiB", 2 << 20)],
)
def test_sizes(text, count):
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "0", "-1", "fast", "10X", "1e3", "nan"])
def test_no_sizes(text):
    with pytest.raises(ValueError, match="is not"):
        parse_size(text)


def test_human_sizes():
    shown = [human_size(count) for count in (0, 1023, 1024, 1536 * 1024, 200 * 2**30, 5000 * 2**40)]
    assert shown == ["0 B", "1023 B", "1.0 KiB", "1.5 MiB", "200 GiB", "5000 TiB"]
