"""Names, here and there: what a relative path means on the server, and where a remote path lands locally."""

from __future__ import annotations

import ntpath
import os
import sys

from netclients.errors import ConfigurationError, printable

__all__ = ["local_destination", "local_file", "local_path", "named_destination", "remote_path"]

_RESERVED = frozenset(
    {"con", "prn", "aux", "nul", *(f"com{n}" for n in range(1, 10)), *(f"lpt{n}" for n in range(1, 10))}
)


def remote_path(base: str, path: str) -> str:
    """Resolve ``path`` against the directory of the client's URL; an absolute one is the server's.

    ``"."`` and ``""`` are the base itself.

    Raises:
        ConfigurationError: it is no text.
    """
    if not isinstance(path, str):
        raise ConfigurationError(f"a remote path is text, not {type(path).__name__}")
    if path in ("", "."):
        return base
    if not base or path.startswith("/"):
        return path
    return f"{base.rstrip('/')}/{path}"


def local_path(path: object) -> str:
    """Return a local path as text.

    Raises:
        ConfigurationError: it is empty, has NUL or what the file system can't encode, or is no path.
    """
    try:
        text = os.fsdecode(path)  # type: ignore[arg-type]
    except TypeError:
        raise ConfigurationError(f"a local path is text or a Path, not {type(path).__name__}") from None
    if not text or "\0" in text:
        raise ConfigurationError(f"{printable(text)!r} is not a local path")
    _check_encodable(text)
    return text


def local_file(path: str | os.PathLike[str]) -> str:
    """Return the local path of a file as text.

    Raises:
        ConfigurationError: it names a directory, or nothing.
    """
    text = local_path(path)
    if os.path.basename(text) in ("", ".", ".."):
        raise ConfigurationError(f"{printable(text)!r} is the path of a directory; name the file in it")
    return text


def local_destination(directory: str, path: str, *, windows: bool = sys.platform == "win32") -> str:
    """Return the place below ``directory`` for the remote ``path``, which keeps its own directories.

    Raises:
        ConfigurationError: the path would leave ``directory``, or has a name that can't exist there.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts or path.endswith("/"):
        raise ConfigurationError(f"{printable(path)!r} is not the path of a file")
    for part in parts:
        if part == ".." or "\0" in part or (windows and _impossible_on_windows(part)):
            raise ConfigurationError(f"{printable(path)!r} can't be stored below the destination")
    _check_encodable(path)
    return os.path.join(directory, *parts)


def named_destination(directory: str, path: str | os.PathLike[str]) -> str:
    """Return the place that the caller chose for one file: below ``directory``, or an absolute path as it is.

    Raises:
        ConfigurationError: a relative path would leave ``directory``, or is none of a file.
    """
    text = local_file(path)
    return text if os.path.isabs(text) else local_destination(directory, text.replace(os.sep, "/"))


def _check_encodable(path: str) -> None:
    try:
        os.fsencode(path)
    except UnicodeEncodeError as error:
        raise ConfigurationError(f"{printable(path)!r} can't be written in {error.encoding}") from None


def _impossible_on_windows(name: str) -> bool:
    stem = name.split(".", 1)[0].rstrip(" ").casefold()
    return (
        stem in _RESERVED
        or name.endswith((" ", "."))
        or any(c in '<>:"/\\|?*' or ord(c) < 32 for c in name)
        or bool(ntpath.splitdrive(name)[0])
    )
