"""Names here and there: nothing lands outside the directory that the caller named."""

from __future__ import annotations

import os
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.errors import ConfigurationError
from netclients.ftp.paths import local_destination, local_file, local_path, named_destination, remote_path


@pytest.mark.parametrize(
    ("base", "path", "expected"),
    [
        ("", "a", "a"),
        ("", "a/b", "a/b"),
        ("", "/a", "/a"),
        ("", "", ""),
        ("", ".", ""),
        ("d", "a", "d/a"),
        ("d/", "a", "d/a"),
        ("d", "", "d"),
        ("d", ".", "d"),
        ("d", "/a", "/a"),
        ("/", "a", "/a"),
        ("/d", "../a", "/d/../a"),
        ("d", " a ", "d/ a "),
    ],
)
def test_remote_paths(base: str, path: str, expected: str) -> None:
    assert remote_path(base, path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [("a", "a"), ("a/b", "a/b"), ("/a/b", "a/b"), ("./a", "a"), ("a//b", "a/b"), ("a/./b", "a/b"), ("...", "...")],
)
def test_destinations(path: str, expected: str) -> None:
    assert local_destination("dest", path, windows=False) == os.path.join("dest", *expected.split("/"))


@pytest.mark.parametrize("path", ["", "/", ".", "./", "a/", "..", "../a", "a/..", "a/../../b", "/..", "a\0b"])
def test_what_leads_nowhere(path: str) -> None:
    for windows in (False, True):
        with pytest.raises(ConfigurationError):
            local_destination("dest", path, windows=windows)


def test_what_no_file_system_can_encode() -> None:
    for call in (local_path, local_file, lambda path: local_destination("dest", path)):
        with pytest.raises(ConfigurationError, match="ud800"):
            call("a/\ud800")
        assert str(call("a/\udce4")).endswith("a/\udce4")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a", "d/a"),
        ("a/b", "d/a/b"),
        (PurePosixPath("a"), "d/a"),
        ("/a/b", "/a/b"),
        ("./a", "d/a"),
        (".part", "d/.part"),
    ],
)
def test_places_that_the_caller_names(path: str | PurePosixPath, expected: str) -> None:
    assert named_destination("d", path) == os.path.join(*expected.split("/")) or path == expected


@pytest.mark.parametrize("path", ["", "..", "a/", "a/..", "../a", "/", "/..", "a/../b", "a\0", 7, None])
def test_places_that_are_none(path: object) -> None:
    with pytest.raises(ConfigurationError):
        named_destination("d", path)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    [
        *("con", "NUL", "nul.txt", "Com1", "lpt9.a.b", "aux .x"),
        *("a.", "a ", "a:b", "c:", "c:\\x", "a\\b", "a\\..\\b", "\\\\host\\share"),
        *("a<b", "a>b", 'a"b', "a|b", "a?b", "a*b", "a\x1fb"),
    ],
)
def test_what_windows_can_t_store(name: str) -> None:
    with pytest.raises(ConfigurationError, match="can't be stored"):
        local_destination("dest", name, windows=True)
    with pytest.raises(ConfigurationError, match="can't be stored"):
        local_destination("dest", f"dir/{name}/file", windows=True)
    assert local_destination("dest", name, windows=False).startswith("dest")


@pytest.mark.parametrize("name", ["console", "com10", "nully.txt", ".con", "a.b", "ä"])
def test_what_windows_can_store(name: str) -> None:
    assert local_destination("dest", name, windows=True) == os.path.join("dest", name)


@given(st.text(alphabet=st.sampled_from("ab./\\: \0"), max_size=12))
def test_no_path_leaves_the_directory(path: str) -> None:
    try:
        found = PurePosixPath(local_destination("/dest", path, windows=False))
    except ConfigurationError:
        return
    assert found.is_relative_to("/dest")
    assert found != PurePosixPath("/dest")
    assert ".." not in found.parts
