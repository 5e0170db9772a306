"""Where credentials come from, and that they are never shown."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from netclients.cli.credentials import Credentials
from netclients.config import Login
from netclients.errors import ConfigurationError

from .conftest import SECRET

posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX terminal")


def never(prompt: str) -> str:
    raise AssertionError(prompt)


def found(environment: dict[str, str], login: Login | None = None, *, answer: str | None = None) -> Login | None:
    def ask(prompt: str) -> str:
        assert answer is not None
        return answer

    return Credentials(environment, ask).complete("host", login, has_password=bool(login and login.password))


@pytest.fixture
def netrc(tmp_path: Path) -> dict[str, str]:
    file = tmp_path / "netrc"
    file.write_text("machine host login ada password from-netrc\nmachine other login eve password x\n")
    return {"NETRC": str(file)}


@pytest.fixture(autouse=True)
def no_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))


ENVIRONMENT = {"NETCLIENTS_USER": "env", "NETCLIENTS_PASSWORD": "from-env"}


def test_order(netrc):
    url = Login("ada", "from-url")
    assert found(netrc | ENVIRONMENT, url) == url
    assert found(netrc | ENVIRONMENT) == Login("env", "from-env")
    assert found(netrc) == Login("ada", "from-netrc")
    assert found({}) is None


def test_the_users_have_to_agree(netrc):
    assert found(ENVIRONMENT, Login("env")) == Login("env", "from-env")
    assert found(netrc | ENVIRONMENT, Login("ada")) == Login("ada", "from-netrc")
    assert found({"NETCLIENTS_PASSWORD": "p"}, Login("ada")) == Login("ada", "p")
    assert found({"NETCLIENTS_PASSWORD": "p"}) is None
    assert found(netrc, Login("somebody"), answer="typed") == Login("somebody", "typed")


def test_prompted_once_for_a_user_without_password():
    asked = []
    credentials = Credentials({}, lambda prompt: asked.append(prompt) or "typed")
    for _ in range(2):
        assert credentials.complete("host", Login("ada"), has_password=False) == Login("ada", "typed")
    assert asked == ["Password for ada@host: "]


def test_an_empty_password_in_the_url_is_one():
    assert Credentials({}, never).complete("host", Login("ada"), has_password=True) == Login("ada", "")


def test_anonymous_is_not_asked(tmp_path):
    file = tmp_path / "netrc"
    file.write_text("default login anonymous password me@\n")
    credentials = Credentials({"NETRC": str(file)}, never)
    assert credentials.complete("host", None, has_password=False) is None
    assert credentials.complete("host", Login("anonymous"), has_password=False) == Login("anonymous")


@pytest.mark.parametrize("content", [b"machine host login ada password x %s", b"%s", b"machine host \xff\xfe %s"])
def test_a_broken_netrc_is_not_quoted(tmp_path, content):
    file = tmp_path / "netrc"
    file.write_bytes(content % SECRET.encode())
    with pytest.raises(ConfigurationError) as caught:
        found({"NETRC": str(file)})
    assert SECRET not in str(caught.value)
    assert "netrc" in str(caught.value)


def test_a_netrc_that_was_named_has_to_be_there(tmp_path):
    with pytest.raises(ConfigurationError, match="NETRC="):
        found({"NETRC": str(tmp_path / "missing")})


def test_environment_on_the_command_line(cli, server, out, monkeypatch):
    monkeypatch.setenv("NETCLIENTS_USER", "ada")
    monkeypatch.setenv("NETCLIENTS_PASSWORD", SECRET)
    result = cli("get", f"ftp://127.0.0.1:{server.port}/one.bin", "-o", out, "--insecure", "-v")
    assert result.exit_code == 0
    assert SECRET not in result.output


@posix
def test_home_netrc_on_the_command_line(cli, server, home, monkeypatch):
    monkeypatch.setenv("HOME", str(home))
    (home / ".netrc").write_text(f"machine 127.0.0.1 login ada password {SECRET}\n")
    (home / ".netrc").chmod(0o600)
    assert cli("ls", f"ftp://127.0.0.1:{server.port}/", "--insecure").exit_code == 0
    (home / ".netrc").chmod(0o644)
    result = cli("ls", f"ftp://127.0.0.1:{server.port}/", "--insecure")
    assert result.exit_code == 2
    assert SECRET not in result.output


# A terminal of its own makes the child's /dev/tty the one that the test holds.
ON_A_TERMINAL = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); from netclients.cli import main; main()"


class Terminal:
    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        import pty

        self._ours, theirs = pty.openpty()
        self.shown = b""
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-c", ON_A_TERMINAL, *arguments],
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                env={**environment, "TERM": "dumb"},
                cwd=Path(__file__).parents[2],
                start_new_session=True,
            )
        finally:
            os.close(theirs)

    def read_until(self, text: bytes) -> None:
        while text not in self.shown:
            self.shown += os.read(self._ours, 65536)

    def type(self, text: bytes) -> None:
        os.write(self._ours, text)

    def end(self) -> int:
        try:
            while chunk := os.read(self._ours, 65536):
                self.shown += chunk
        except OSError:  # Linux: the other side is closed
            return self.process.wait(60)
        finally:
            os.close(self._ours)
        return self.process.wait(60)


@posix
def test_prompt_on_a_terminal(environment, server):
    terminal = Terminal(environment, "ls", f"ftpes://ada@127.0.0.1:{server.port}/", "--insecure")
    terminal.read_until(b"Password for ada@127.0.0.1: ")
    terminal.type(SECRET.encode() + b"\n")
    assert terminal.end() == 0
    assert b"one.bin" in terminal.shown
    assert SECRET.encode() not in terminal.shown


@posix
def test_prompt_interrupted(environment, server):
    terminal = Terminal(environment, "ls", f"ftpes://ada@127.0.0.1:{server.port}/", "--insecure")
    terminal.read_until(b"Password for")
    terminal.type(b"\x03")
    assert terminal.end() == 130
    assert b"Traceback" not in terminal.shown
    assert server.stats.connections == 0


def test_no_prompt_without_a_terminal(spawn, server):
    process = spawn("ls", f"ftpes://ada@127.0.0.1:{server.port}/", "--insecure")
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 3
    assert b"Password" not in stderr
