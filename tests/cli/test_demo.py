"""``netclients demo``."""

from __future__ import annotations

import io
import os
import signal

import pytest
from rich.console import Console

from netclients.cli.demo import corpus
from netclients.cli.demo import run as demo
from netclients.cli.demo.corpus import make_corpus
from netclients.cli.demo.scenario import Leg
from netclients.cli.sizes import human_size, parse_size

BOUND = 60  # seconds; the promise of 15 is for a machine that does nothing else meanwhile


def test_everything_is_verified_and_cleaned_up(spawn, environment, tmp_path):
    work = tmp_path / "tmp"
    work.mkdir()
    process = spawn("demo", env={**environment, "TMPDIR": str(work)})
    stdout, stderr = process.communicate(timeout=BOUND)
    assert (process.returncode, stderr) == (0, b"")
    assert stdout.count(b"300/300") == 2
    assert b"every checksum is right" in stdout
    assert list(work.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_interrupted(spawn, environment, tmp_path):
    work = tmp_path / "tmp"
    work.mkdir()
    process = spawn("demo", env={**environment, "TMPDIR": str(work)})
    while b"downloading" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=BOUND)
    assert process.returncode == 130
    assert b"Traceback" not in stderr
    assert list(work.iterdir()) == []


def test_a_small_one_with_live_bars(monkeypatch):
    mix = (("small", 60, 1000, 5000), ("medium", 20, 20_000, 90_000), ("large", 4, 1_000_000, 2_000_000))
    monkeypatch.setattr(corpus, "_MIX", mix)
    screen = io.StringIO()
    assert demo.run_demo(Console(file=screen, force_terminal=True, width=100))
    shown = screen.getvalue()
    assert shown.count("84/84 ") >= 2
    assert "cuts all connections" in shown


class Failing:
    async def run(self, board, work):
        board.say("something")
        return [Leg(name="X", items=2, verified=1, size=10, seconds=1, cuts=0, retries=0, resumed=0)]


def test_what_is_not_verified_is_a_failure(monkeypatch, cli):
    monkeypatch.setattr(demo, "FTPScenario", Failing)
    screen = io.StringIO()
    assert demo.run_demo(Console(file=screen)) is False
    assert "FAILED" in screen.getvalue()
    assert cli("demo").exit_code == 1


def test_live_board(monkeypatch):
    monkeypatch.setattr(demo, "FTPScenario", Failing)
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
