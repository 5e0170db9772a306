"""The policy for real servers that can't run here, and fixtures for those that the FTP tests talk to.

Those of mail are in ``fix_mail``, those of news in ``fix_news``, under the same policy.

``vsftpd``, ``proftpd``, ``pureftpd`` and ``embedded_ftp`` are one server each, plain and AUTH TLS allowed;
``ftp_server`` runs a test against all four; ``start_server`` starts a configuration of its own for one test::

    async def test_limit(start_server: StartServer) -> None:
        server = start_server("vsftpd", MODE="force", MAX_CLIENTS=3)

A test that needs a server that can't run here is deselected, and one line of the summary says so. Where real
servers are required (``--real-servers=require`` or ``NETCLIENTS_REQUIRE_SERVERS=1``), the run fails instead.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.servers import (
    ALL_RECIPES,
    MAIL_RECIPES,
    NEWS_RECIPES,
    RECIPES,
    FTPTarget,
    RealServer,
    running,
    work_directory,
)

StartServer = Callable[..., RealServer]
"""``start_server(name, **knobs)``: runs until the test ends; tests/servers/README.md lists the knobs."""

LEFT_OUT = pytest.StashKey[str]()
REFUSED = pytest.StashKey[str]()


# Policy


def pytest_addoption(parser: pytest.Parser) -> None:
    required = os.environ.get("NETCLIENTS_REQUIRE_SERVERS", "0") not in ("", "0")
    parser.addoption(
        "--real-servers",
        choices=("auto", "require", "off"),
        default="require" if required else "auto",
        help="tests on real servers: run those that can run here, require all of them, or run none",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "servers(*names): needs real servers; set by itself for tests that use their fixtures"
    )


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None, object, object]:
    needs = {item: _needed_servers(item) for item in items}
    for item, names in needs.items():
        if names and item.get_closest_marker("servers") is None:
            item.add_marker("servers")
    result = yield  # here -m and -k have their say
    missing = _missing_servers(config)
    dropped = [item for item in items if needs[item] & missing.keys()]
    if dropped:
        absent = sorted(set().union(*(needs[item] for item in dropped)) & missing.keys())
        reasons = ", ".join(sorted({missing[name] for name in absent}))
        summary = f"{', '.join(absent)} ({reasons}): {len(dropped)} tests"
        if config.getoption("--real-servers") == "require":
            config.stash[REFUSED] = f"real servers are required, but these can't run: {summary}"
            raise pytest.UsageError(config.stash[REFUSED])
        items[:] = [item for item in items if item not in set(dropped)]
        config.hook.pytest_deselected(items=dropped)
        config.stash[LEFT_OUT] = summary
    return result


def pytest_sessionfinish(session: pytest.Session) -> None:
    # A process that runs a part of the suite tells the one that prints.
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["left out"] = session.config.stash.get(LEFT_OUT, None)
        output["refused"] = session.config.stash.get(REFUSED, None)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    output = getattr(node, "workeroutput", {})
    if refused := output.get("refused"):
        raise pytest.UsageError(refused)
    if summary := output.get("left out"):
        node.config.stash[LEFT_OUT] = summary


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if summary := config.stash.get(LEFT_OUT, None):
        terminalreporter.write_line(f"left out: {summary}")


def _missing_servers(config: pytest.Config) -> dict[str, str]:
    if config.getoption("--real-servers") == "off":
        return dict.fromkeys(ALL_RECIPES, "switched off")
    return {name: why for name, recipe in ALL_RECIPES.items() if (why := recipe.missing())}


def _needed_servers(item: pytest.Item) -> set[str]:
    """Named by a fixture, by a parameter or by the marker.

    All of a kind, if a test starts servers without saying which; all of FTP, if it says only that it needs servers.
    """
    fixtures = set(getattr(item, "fixturenames", ()))
    markers = list(item.iter_markers("servers"))
    names = ALL_RECIPES.keys() & fixtures
    if callspec := getattr(item, "callspec", None):
        names |= {value for value in callspec.params.values() if isinstance(value, str) and value in ALL_RECIPES}
    for marker in markers:
        names |= set(marker.args)
    if names:
        return names
    if "start_mail_server" in fixtures:
        return set(MAIL_RECIPES)
    if "start_news_server" in fixtures:
        return {*NEWS_RECIPES, "cyrus"}
    return set(RECIPES) if markers or "start_server" in fixtures else set()


# Real servers


class ServerPark:
    """The session's servers in their default configuration, each started by the first test that wants it."""

    def __init__(self, work: Path, stack: ExitStack) -> None:
        self._work = work
        self._stack = stack
        self._servers: dict[str, RealServer] = {}

    def fresh(self, name: str) -> RealServer:
        """This server, with no files left of the tests before."""
        if name not in self._servers:
            self._servers[name] = self._stack.enter_context(running(name, self._work))
        self._servers[name].clear()
        return self._servers[name]


@pytest.fixture(scope="session")
def server_work() -> Iterator[Path]:
    with work_directory() as work:
        yield work


@pytest.fixture(scope="session")
def server_park(server_work: Path) -> Iterator[ServerPark]:
    with ExitStack() as stack:
        yield ServerPark(server_work, stack)


@pytest.fixture
def vsftpd(server_park: ServerPark) -> RealServer:
    return server_park.fresh("vsftpd")


@pytest.fixture
def proftpd(server_park: ServerPark) -> RealServer:
    return server_park.fresh("proftpd")


@pytest.fixture
def pureftpd(server_park: ServerPark) -> RealServer:
    return server_park.fresh("pureftpd")


@pytest.fixture
def start_server(server_work: Path) -> Iterator[StartServer]:
    with ExitStack() as stack:

        def start(name: str, **knobs: str | int) -> RealServer:
            return stack.enter_context(running(name, server_work, **knobs))

        yield start


@pytest.fixture(params=sorted(RECIPES))
def real_ftp(request: pytest.FixtureRequest) -> RealServer:
    server: RealServer = request.getfixturevalue(request.param)
    return server


# All servers


@pytest.fixture
def embedded_ftp(tmp_path: Path) -> Iterator[FTPTarget]:
    from netclients.testing import FTPServer  # needs the extra `testing`

    root = tmp_path / "ftp"
    root.mkdir()
    # In a thread of its own, so that tests on every event loop may use it.
    with FTPServer(root, users={"alice": "alicepw"}, tls="explicit") as server:
        yield FTPTarget(
            name="embedded",
            host=server.host,
            port=server.port,
            user="alice",
            password="alicepw",
            tls_mode="optional",
            ca_file=Path(server.ca_file),
            root=root,
        )


@pytest.fixture(params=["embedded", *sorted(RECIPES)])
def ftp_server(request: pytest.FixtureRequest) -> FTPTarget:
    name = "embedded_ftp" if request.param == "embedded" else request.param
    server: FTPTarget = request.getfixturevalue(name)
    return server
