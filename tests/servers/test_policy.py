"""Tests whose servers can't run are left out with one line; where servers are required, that is an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SUITE = """
import pytest
def test_alone(): pass
def test_real(real_ftp): pass
def test_pinned(start_server): pass
@pytest.mark.servers("vsftpd")
def test_marked(): pass
"""
ABSENT = """
from tests.servers import Recipe
Recipe.missing = lambda self: "not installed"
"""


def run(tmp_path: Path, *arguments: str, suite: str = SUITE, **environment: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "test_suite.py").write_text(suite)
    (tmp_path / "conftest.py").write_text(ABSENT)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    # What this very run was told does not count for the one inside.
    neutral = {"PYTEST_ADDOPTS": "", "NETCLIENTS_REQUIRE_SERVERS": "", "PYTHONPATH": str(REPOSITORY)}
    plugins = ["-p", "tests.fix_servers", "-p", "no:asyncio", "-p", "no:cacheprovider"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "--strict-markers", *plugins, *arguments],
        cwd=tmp_path,
        env={**os.environ, **neutral, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_absent_servers_are_left_out_with_one_line(tmp_path: Path) -> None:
    result = run(tmp_path)
    lines = result.stdout.splitlines()
    assert "left out: proftpd, pureftpd, vsftpd (not installed): 5 tests" in lines
    assert "1 passed, 5 deselected" in lines[-1]
    assert result.returncode == 0


@pytest.mark.parametrize("by", ["option", "environment"])
def test_required_servers_must_be_there(tmp_path: Path, by: str) -> None:
    if by == "option":
        result = run(tmp_path, "--real-servers=require")
    else:
        result = run(tmp_path, NETCLIENTS_REQUIRE_SERVERS="1")
    assert "real servers are required, but these can't run: proftpd, pureftpd, vsftpd" in result.stderr
    assert result.returncode == pytest.ExitCode.USAGE_ERROR


def test_only_what_was_asked_for_is_required(tmp_path: Path) -> None:
    result = run(tmp_path, "--real-servers=require", "-m", "not servers")
    assert "1 passed, 5 deselected" in result.stdout
    assert result.returncode == 0


def test_processes_that_share_the_suite_speak_with_one_voice(tmp_path: Path) -> None:
    result = run(tmp_path, "-n", "2")
    assert "left out: proftpd, pureftpd, vsftpd (not installed): 5 tests" in result.stdout.splitlines()
    assert "1 passed" in result.stdout.splitlines()[-1]
    result = run(tmp_path, "-n", "2", "--real-servers=require")
    assert "real servers are required, but these can't run: proftpd, pureftpd, vsftpd" in result.stderr
    assert result.returncode == pytest.ExitCode.USAGE_ERROR


def test_mail_servers_are_under_the_same_policy(tmp_path: Path) -> None:
    suite = """
def test_mail(postfix, dovecot): pass
def test_pinned(start_mail_server): pass
def test_both(real_smtp, vsftpd): pass
"""
    assert (
        "left out: cyrus, dovecot, exim, postfix, smtp_sink, vsftpd (not installed): 4 tests"
        in run(tmp_path, "-p", "tests.fix_mail", suite=suite).stdout.splitlines()
    )
    result = run(tmp_path, "-p", "tests.fix_mail", "--real-servers=require", "-k", "test_mail", suite=suite)
    assert "real servers are required, but these can't run: dovecot, postfix" in result.stderr
    assert result.returncode == pytest.ExitCode.USAGE_ERROR


def test_switched_off(tmp_path: Path) -> None:
    assert "(switched off): 5 tests" in run(tmp_path, "--real-servers=off").stdout
