"""``get`` and ``put``: from arguments to jobs, and what the library does with those of one server."""

from __future__ import annotations

import os
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netclients.cli.batch import run_jobs
from netclients.cli.credentials import Credentials
from netclients.cli.jobs import Job
from netclients.cli.stdio import standard_input
from netclients.cli.targets import Target, parse_target, read_urls
from netclients.errors import ConfigurationError, printable
from netclients.ftp.batch import Destinations
from netclients.ftp.paths import local_destination

if TYPE_CHECKING:
    from netclients.cli.session import Session
    from netclients.ftp.batch import BatchUploadable, Downloadable
    from netclients.ftp.client import FTPClient
    from netclients.ftp.download import OnProgress
    from netclients.ftp.results import Item
    from netclients.streams import Stream

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
    credentials, places = Credentials(), Destinations()
    jobs = []
    for url in read_urls(urls, url_list):
        target = parse_target(url, credentials)
        place = local_destination(str(directory), target.name)
        places.take(place)
        jobs.append(Job(target.server, target.path, target.shown, place, target.path))

    def start(client: FTPClient, jobs: Sequence[Job], progress: OnProgress | None) -> Stream[Item]:
        sources: list[Downloadable] = [(job.remote, os.path.basename(job.destination)) for job in jobs]
        return client.download_many(
            sources, directory, concurrency=session.concurrency, resume=resume, progress=progress
        )

    return run_jobs(session, jobs, start)


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
    places = Destinations(remote=True)
    jobs = []
    for file in files:
        path, shown = _place(target, file, is_directory)
        places.take(path)
        jobs.append(Job(target.server, path, file, shown, path if file == "-" else file))

    def start(client: FTPClient, jobs: Sequence[Job], progress: OnProgress | None) -> Stream[Item]:
        sources: list[BatchUploadable] = [
            (standard_input() if job.source == "-" else job.source, job.remote) for job in jobs
        ]
        return client.upload_many(sources, "", concurrency=session.concurrency, resume=resume, progress=progress)

    return run_jobs(session, jobs, start)


def _place(target: Target, file: str, is_directory: bool) -> tuple[str, str]:
    """Return where ``file`` goes: the path, and the URL to show."""
    if not is_directory:
        _ = target.name
        return target.path, target.shown
    name = Path(file).name
    if file == "-" or not name or name == "..":
        raise ConfigurationError(f"{printable(file)!r} has no name that could be put into a directory")
    shown, mark, query = target.shown.partition("?")
    return f"{target.path}{name}", f"{shown.rstrip('/')}/{name}{mark}{query}"
