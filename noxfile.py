"""``nox -l`` lists what a contributor can run, ``nox -s NAME -- ARGUMENTS`` runs one session."""

import os
from pathlib import Path

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.default_venv_backend = "virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"

GROUPS = nox.project.load_toml("pyproject.toml")
COVERAGE_FLOOR = 90
FUZZ_SECONDS = os.environ.get("NETCLIENTS_FUZZ_SECONDS", "30")


def install(session: nox.Session, *groups: str) -> None:
    """This checkout, editable, and what these dependency groups of pyproject.toml list."""
    session.install("-e", ".", *nox.project.dependency_groups(GROUPS, *groups))


@nox.session(python=["3.11", "3.12", "3.13"])
def tests(session: nox.Session) -> None:
    """The whole suite; servers that this machine does not have are left out."""
    install(session, "test")
    session.run("pytest", *session.posargs)


@nox.session
def servers(session: nox.Session) -> None:
    """The whole suite with every real server (root; tests/servers/install.sh first), and coverage."""
    install(session, "test")
    session.run(
        "pytest",
        "--real-servers=require",
        "--cov",
        "--cov-report=term:skip-covered",
        f"--cov-fail-under={COVERAGE_FLOOR}",
        *session.posargs,
    )


@nox.session
def lint(session: nox.Session) -> None:
    """Style, format, and which module may import which."""
    install(session, "quality")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """The code is typed, and so is everything that users can import."""
    install(session, "test", "quality")
    session.run("mypy", "--strict", "netclients")
    # It looks for the installed package, and does not find an editable one by itself.
    session.run("basedpyright", "--verifytypes", "netclients", "--ignoreexternal", env={"PYTHONPATH": "."})


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation builds without a warning, and its examples run."""
    install(session, "test", "docs")
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")
    session.run(
        "pytest",
        "tests/test_docs_examples.py",
        "tests/test_docs_mail.py",
        "tests/test_docs_reading.py",
        "tests/test_fastapi_example.py",
        *session.posargs,
    )


@nox.session
def bench(session: nox.Session) -> None:
    """Our speed beside that of others, in one run; without arguments, docs/benchmarks.md is written anew."""
    install(session, "bench")
    session.run("python", "-m", "benchmarks", *(session.posargs or ("--write", "docs/benchmarks.md")))


@nox.session
def fuzz(session: nox.Session) -> None:
    """Every fuzz target, or those named, for $NETCLIENTS_FUZZ_SECONDS each (30)."""
    targets = session.posargs or [str(path) for path in sorted(Path("tests/fuzz").glob("fuzz_*.py"))]
    if not targets:
        session.skip("there are no fuzz targets")
    install(session, "fuzz")
    for target in targets:
        session.run("python", target, f"-max_total_time={FUZZ_SECONDS}", "-timeout=10", "-rss_limit_mb=1024")
