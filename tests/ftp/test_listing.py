"""Listing lines: what five real servers sent, the quirks on record, and whatever else may come."""

import pickle
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.errors import ProtocolError
from netclients.ftp.listing import (
    is_safe_name,
    parse_list_line,
    parse_mlsd_line,
    parse_mlst_line,
    parse_nlst_line,
    parse_time,
)
from netclients.ftp.types import Entry, EntryKind
from tests.ftp.data import listing_rows as rows
from tests.ftp.data.listing_rows import utc
from tests.ftp.data.odd_directory import (
    CONTROLS,
    DANGLING,
    DIRS,
    LINKS,
    MODES,
    ODD_NAMES,
    SPECIALS,
    TIMES,
    UNDECODABLE,
)
from tests.ftp.data.transcripts import SERVERS, load

FILE, DIR, LINK, OTHER = EntryKind.FILE, EntryKind.DIR, EntryKind.LINK, EntryKind.OTHER
NOW = utc(2026, 11, 22, 0, 49)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
RECORDED = {server: load(server) for server in SERVERS}


def decode(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def mlsd(line: bytes, directory: str = "d") -> Entry | None:
    return parse_mlsd_line(line, directory, decode)


def ls(line: bytes, directory: str = "d", now: datetime = NOW) -> Entry | None:
    return parse_list_line(line, directory, decode, now)


def nlst(line: bytes) -> Entry | None:
    return parse_nlst_line(line, "d", decode)


def there(entry: Entry | None) -> Entry:
    assert entry is not None
    return entry


# --- what real servers said about one directory full of odd names ---


def entries(server: str, command: str, parse: Callable[[bytes], Entry | None]) -> dict[bytes, Entry]:
    found = [entry for line in RECORDED[server][command].data if (entry := parse(line)) is not None]
    by_name = {entry.raw_name: entry for entry in found}
    assert len(by_name) == len(found)
    for entry in found:
        assert is_safe_name(entry.name)
        assert entry.name == decode(entry.raw_name)
        assert entry.path == f"odd/{entry.name}"
        assert pickle.loads(pickle.dumps(entry)) == entry
    return by_name


def check(found: dict[bytes, Entry], *, links: bool = True) -> None:
    for name, entry in found.items():
        if name in DIRS:
            assert (entry.kind, entry.is_dir, entry.is_file) == (DIR, True, False), name
        elif name in LINKS:
            assert entry.is_link or not links, name
        elif name not in SPECIALS:
            assert (entry.kind, entry.is_file) == (FILE, True), name
    assert found[b"sparse5g"].size == 5 << 30
    assert found[b"empty"].size == 0


@pytest.mark.parametrize(
    ("server", "missing", "links"),
    [
        ("proftpd", DANGLING, True),
        ("pureftpd", {b"ctrl\x01\x1b[31m", b"cr\rname", b"nl\nname", b"tab\there"}, True),
        ("pyftpdlib", DANGLING | UNDECODABLE, False),
        ("aioftp", {b"x -> y"} | UNDECODABLE, False),
    ],
)
def test_mlsd_recorded(server: str, missing: set[bytes], links: bool) -> None:
    found = entries(server, "MLSD odd", lambda line: mlsd(line, "odd"))
    everything = ODD_NAMES | UNDECODABLE | CONTROLS | SPECIALS | DANGLING | {b".hidden"}
    if server == "pyftpdlib":  # it replaces what it can't decode before it sends it
        everything |= {b"caf?.txt", b"iac?name"}
    if server == "aioftp":
        found.setdefault(b"x -> y", found[b"link"])
        missing = missing - {b"x -> y"}
    assert everything - missing == set(found)
    check(found, links=links)
    for name, at in TIMES.items():
        assert (found[name].modified, found[name].precision) == (at, timedelta(seconds=1))
    if server in ("proftpd", "pureftpd"):
        assert {name: found[name].mode for name in MODES} == MODES
        assert found[b"link"].target is None
    if server == "proftpd":
        assert found[b"uid12345"].facts["unix.owner"] == "12345"
        assert found[b"uid12345"].facts["perm"] == "adfr"
    if server in ("pureftpd", "aioftp"):
        assert found[b"fifo"].kind is OTHER


@pytest.mark.parametrize(
    ("server", "missing"),
    [
        ("vsftpd", set()),
        ("proftpd", set()),
        ("pureftpd", CONTROLS | SPECIALS),
        ("pyftpdlib", UNDECODABLE),
        ("aioftp", {b"dangling", b"x -> y"} | UNDECODABLE),
    ],
)
def test_list_recorded(server: str, missing: set[bytes]) -> None:
    now = RECORDED[server].now
    found = entries(server, "LIST odd", lambda line: ls(line, "odd", now))
    everything = ODD_NAMES | UNDECODABLE | CONTROLS | SPECIALS | DANGLING
    if server in ("pyftpdlib", "aioftp"):
        everything |= {b".hidden"}
    if server == "pyftpdlib":
        everything |= {b"caf?.txt", b"iac?name"}
    assert everything - missing == set(found)
    check(found, links=server != "aioftp")
    for name in SPECIALS - missing:
        assert found[name].kind is OTHER
    if server != "aioftp":
        assert {name: found[name].target for name in LINKS} == LINKS
    assert {name: found[name].mode for name in MODES} == MODES
    for name, at in TIMES.items():
        assert (found[name].modified, found[name].precision) == (at.replace(hour=0, minute=0, second=0), DAY)
    assert found[b"ago170d"].modified == utc(2026, 6, 5, 0, 32)
    assert found[b"ago170d"].precision == MINUTE
    assert there(found[b"ago190d"]).modified == utc(2026, 5, 16)
    plain = found[b"plain.txt"].modified
    assert plain is not None
    assert timedelta() <= now - plain < timedelta(hours=1)
    ahead = found[b"future2d"].modified
    assert ahead is not None
    # vsftpd and aioftp print the year of what lies ahead, the others don't: it reads as a year ago
    assert ahead.year == (2026 if server in ("vsftpd", "aioftp") else 2025)


@pytest.mark.parametrize("server", ["vsftpd", "proftpd", "pureftpd"])
def test_list_all_recorded(server: str) -> None:
    plain = entries(server, "LIST odd", lambda line: ls(line, "odd"))
    everything = entries(server, "LIST -a odd", lambda line: ls(line, "odd"))
    assert set(everything) - set(plain) == {b".hidden"}
    owner = everything[b"uid12345"].facts
    assert (owner["unix.owner"], owner["unix.group"]) == ("12345", "54321")


@pytest.mark.parametrize("server", ["vsftpd", "proftpd", "pureftpd", "pyftpdlib"])
def test_nlst_recorded(server: str) -> None:
    found = entries(server, "NLST odd", lambda line: parse_nlst_line(line, "odd", decode))
    assert found.keys() >= ODD_NAMES
    assert {entry.kind for entry in found.values()} == {OTHER}


@pytest.mark.parametrize("server", ["vsftpd", "proftpd", "pureftpd", "pyftpdlib"])
def test_list_of_a_file(server: str) -> None:
    (line,) = RECORDED[server]["LIST odd/plain.txt"].data
    entry = there(parse_list_line(line, "odd", decode, NOW, basename=True))
    assert (entry.name, entry.path, entry.raw_name) == ("plain.txt", "odd/plain.txt", b"plain.txt")


@pytest.mark.parametrize("server", SERVERS)
def test_list_of_an_empty_directory(server: str) -> None:
    exchange = RECORDED[server]["LIST empty0"]
    assert (exchange.data, exchange.replies[-1][0]) == ([], 226)


# --- MLSD, row by row ---


@pytest.mark.parametrize(("line", "entry"), rows.MLSD_ROWS)
def test_mlsd(line: bytes, entry: Entry) -> None:
    got = there(mlsd(line))
    for name in ("name", "path", "kind", "size", "modified", "precision", "mode", "target"):
        assert getattr(got, name) == getattr(entry, name)
    assert decode(got.raw_name) == got.name
    assert line.endswith(got.raw_name)


def test_mlsd_keeps_all_facts() -> None:
    facts = there(mlsd(b"Type=file;SIZE=5;X.y=Z;empty=; f")).facts
    assert facts == {"type": "file", "size": "5", "x.y": "Z", "empty": ""}


@pytest.mark.parametrize("line", rows.MLSD_SKIPPED)
def test_mlsd_skips(line: bytes) -> None:
    assert mlsd(line) is None


@pytest.mark.parametrize("line", rows.MLSD_REFUSED)
def test_mlsd_refuses(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        mlsd(line)


@pytest.mark.parametrize(
    ("directory", "path"),
    [("", "f"), (".", "f"), ("/", "/f"), ("a", "a/f"), ("a/", "a/f"), ("/a/b", "/a/b/f")],
)
def test_paths_of_entries(directory: str, path: str) -> None:
    for entry in (
        mlsd(b"type=file; f", directory),
        ls(b"-rw-r--r-- 1 a b 1 Jan 01 2020 f", directory),
        parse_nlst_line(b"f", directory, decode),
    ):
        assert there(entry).path == path


@pytest.mark.parametrize(("line", "path", "name", "raw_name"), rows.MLST_ROWS)
def test_mlst_names_what_was_asked_for(line: bytes, path: str, name: str, raw_name: bytes) -> None:
    entry = parse_mlst_line(line, path, decode)
    assert (entry.name, entry.path, entry.raw_name) == (name, path, raw_name)
    assert entry.kind is (FILE if b"file" in line else DIR)


@given(
    st.dictionaries(
        st.text("abcdefghijklmnopqrstuvwxyz.-", min_size=1),
        st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="; ")),
    ),
    st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="/\0"), min_size=1),
)
def test_mlsd_round_trip(facts: dict[str, str], name: str) -> None:
    facts.pop("type", None)
    if name in (".", ".."):
        name += "x"
    line = "".join(f"{fact}={value};" for fact, value in facts.items()) + " " + name
    entry = there(mlsd(line.encode()))
    assert (entry.name, entry.facts, entry.kind) == (name, facts, OTHER)


# --- LIST, row by row ---


@pytest.mark.parametrize(("line", "row"), rows.LIST_ROWS)
def test_list(line: bytes, row: tuple[object, ...]) -> None:
    entry = there(ls(line))
    assert (entry.kind, entry.name, entry.size, entry.mode, entry.target) == row
    assert entry.path == f"d/{entry.name}"
    assert decode(entry.raw_name) == entry.name


def test_list_owners() -> None:
    def owners(line: bytes) -> dict[str, str]:
        return dict(there(ls(line)).facts)

    assert owners(b"-rw-r--r-- 1 a b 5 Jan  1  2020 f") == {"unix.ownername": "a", "unix.groupname": "b"}
    assert owners(b"-rw-r--r-- 1 1 22 5 Jan  1  2020 f") == {"unix.owner": "1", "unix.group": "22"}
    assert owners(b"-rw-r--r-- 1 a 5 Jan  1  2020 f") == {"unix.ownername": "a"}
    named = owners(b"-rw-r--r-- 1 a Domain Users   5 Jan  1  2020 f")
    assert named == {"unix.ownername": "a", "unix.groupname": "Domain Users"}


@pytest.mark.parametrize("line", rows.LIST_SKIPPED)
def test_list_skips(line: bytes) -> None:
    assert ls(line) is None


@pytest.mark.parametrize("line", rows.LIST_REFUSED)
def test_list_refuses(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        ls(line)


@pytest.mark.parametrize(("date", "now", "expected"), rows.LIST_DATES)
def test_years(date: bytes, now: datetime, expected: datetime) -> None:
    entry = there(ls(b"-rw-r--r-- 1 a b 5 " + date + b" f", now=now))
    assert entry.modified == expected
    assert entry.precision == (DAY if b":" not in date else MINUTE)


# --- NLST, times, names ---


@pytest.mark.parametrize(("line", "name"), [(b"f", "f"), (b"odd/f", "f"), (b" f ", " f "), (b"/a/b/..x", "..x")])
def test_nlst(line: bytes, name: str) -> None:
    assert there(nlst(line)) == Entry(name, f"d/{name}", OTHER, raw_name=name.encode())


@pytest.mark.parametrize("line", [b"", b".", b"..", b"d/.", b"d/.."])
def test_nlst_skips(line: bytes) -> None:
    assert nlst(line) is None


def test_nlst_refuses() -> None:
    for line in (b"d/", b"a\0b"):
        with pytest.raises(ProtocolError):
            nlst(line)
    with pytest.raises(ProtocolError):
        parse_nlst_line(b"a/b", "d", decode, basename=False)


@pytest.mark.parametrize(("text", "value", "precision"), rows.TIMES)
def test_times(text: str, value: datetime, precision: float) -> None:
    parsed = parse_time(text)
    assert parsed is not None
    assert parsed.value == value
    assert parsed.value.tzinfo is UTC
    assert parsed.precision == timedelta(seconds=precision)


@pytest.mark.parametrize("text", rows.NO_TIMES)
def test_no_times(text: str) -> None:
    assert parse_time(text) is None


@given(st.datetimes(timezones=st.just(UTC)))
def test_time_round_trip(value: datetime) -> None:
    text = f"{value.year:04}{value:%m%d%H%M%S}.{value.microsecond:06}"
    parsed = parse_time(text)
    assert parsed is not None
    assert parsed.value == value


def test_safe_names() -> None:
    assert all(map(is_safe_name, ["a", "...", " ", "..a", "\\", "\n", "con", "~"]))
    assert not any(map(is_safe_name, ["", ".", "..", "/", "a/b", "../a", "a\0"]))


# --- whatever may come: documented errors only, in linear time ---

PARSERS: list[Callable[[bytes], Entry | None]] = [
    mlsd,
    ls,
    nlst,
    lambda line: parse_mlst_line(line, "p", decode),
]


def survives(line: bytes) -> None:
    for number, parse in enumerate(PARSERS):
        try:
            entry = parse(line)
        except ProtocolError as error:
            entry, shown = None, str(error)
        else:
            shown = ""
        assert len(shown) < 1000
        assert entry is None or number == 3 or is_safe_name(entry.name)


def all_lines() -> list[bytes]:
    recorded = {line for transcript in RECORDED.values() for exchange in transcript.exchanges for line in exchange.data}
    return [*sorted(recorded), *(line for line, _ in rows.MLSD_ROWS), *(line for line, _ in rows.LIST_ROWS)]


def test_cut_at_every_byte() -> None:
    for line in all_lines():
        for end in range(len(line)):
            survives(line[:end])
            survives(line[end:])


def test_a_byte_changed_at_every_place() -> None:
    for line in all_lines()[::7]:
        for place in range(len(line)):
            for byte in (b"\0", b" ", b";", b"/", b"\xff", b"9", b"\n"):
                survives(line[:place] + byte + line[place + 1 :])


@given(st.binary(max_size=200))
def test_any_bytes(line: bytes) -> None:
    survives(line)


@given(st.lists(st.sampled_from(rows.WORDS)))
def test_any_words(words: list[bytes]) -> None:
    survives(b"".join(words))


@pytest.mark.parametrize("line", rows.MEGABYTES, ids=lambda line: repr(line[:20]))
def test_a_megabyte_in_linear_time(line: bytes) -> None:
    started = time.perf_counter()
    survives(line)
    assert time.perf_counter() - started < 2
