"""``get`` and ``put``: from arguments to jobs."""

from __future__ import annotations

import contextlib
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netclients.cli.batch import run_jobs
from netclients.cli.credentials import Credentials
from netclients.cli.jobs import GetJob, PutJob
from netclients.cli.targets import Target, parse_target, read_urls
from netclients.errors import ConfigurationError, ReplyError, printable
from netclients.ftp.paths import local_destination

if TYPE_CHECKING:
    from netclients.cli.session import Session
    from netclients.ftp.client import FTPClient

__all__ = ["get", "put"]


def get(
    session: Session, urls: Sequence[str], url_list: str | None, directory: Path, *, resume: bool
) -> Coroutine[Any, Any, int]:
    """Plan downloads; what is returned does them and returns the exit code.

    Raises:
        ConfigurationError: the arguments make no sense.
    """
    session.check()
    if directory.exists() and not directory.is_dir():
        raise ConfigurationError(f"-o {printable(str(directory))} is not a directory")
    credentials = Credentials()
    jobs = []
    for url in read_urls(urls, url_list):
        target = parse_target(url, credentials)
        jobs.append(GetJob(target, local_destination(str(directory), target.name), resume))
    return run_jobs(session, jobs)


def put(session: Session, files: Sequence[str], url: str, *, resume: bool) -> Coroutine[Any, Any, int]:
    """Plan uploads; what is returned does them and returns the exit code.

    Raises:
        ConfigurationError: the arguments make no sense.
    """
    session.check()
    target = parse_target(url, Credentials())
    is_directory = not target.path or target.path.endswith("/")
    if len(files) > 1 and not is_directory:
        raise ConfigurationError(f"several files need a directory: {printable(target.shown)}/")
    if resume and "-" in files:
        raise ConfigurationError("standard input can't be resumed")
    jobs = [PutJob(_place(target, file, is_directory), file, resume) for file in files]
    directory = target.path.rpartition("/")[0]

    async def make_directory(client: FTPClient) -> None:
        if directory:
            # Where this is refused, the directory may still be there: storing will tell.
            with contextlib.suppress(ReplyError):
                await client.makedirs(directory)

    return run_jobs(session, jobs, prepare=make_directory)


def _place(target: Target, file: str, is_directory: bool) -> Target:
    if not is_directory:
        _ = target.name
        return target
    name = Path(file).name
    if file == "-" or not name or name == "..":
        raise ConfigurationError(f"{printable(file)!r} has no name that could be put into a directory")
    shown, mark, query = target.shown.partition("?")
    return replace(target, path=f"{target.path}{name}", shown=f"{shown.rstrip('/')}/{name}{mark}{query}")
