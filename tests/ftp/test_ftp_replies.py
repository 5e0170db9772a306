"""Texts of replies: what real servers sent, the quirks on record, and whatever else may come."""

import pickle
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.errors import ProtocolError
from netclients.ftp.replies import (
    classify_limit,
    identify_server,
    parse_epsv,
    parse_features,
    parse_mdtm,
    parse_mlst,
    parse_passive,
    parse_pasv,
    parse_path,
    parse_size,
    parse_system,
)
from netclients.ftp.types import Entry, EntryKind, Features, PassiveEndpoint, ServerKind, TransferType
from tests.ftp.data import reply_rows as rows
from tests.ftp.data.transcripts import SERVERS, load

RECORDED = {server: load(server) for server in SERVERS}
FULL = ("vsftpd", "proftpd", "pureftpd", "pyftpdlib")


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def decode(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def mlst(lines: tuple[str, ...], path: str = "d/f") -> Entry:
    return parse_mlst(lines, path, encode, decode)


# --- 227, 229 ---


@pytest.mark.parametrize("server", SERVERS)
def test_passive_recorded(server: str) -> None:
    for command, host in (("PASV", "127.0.0.1"), ("EPSV", None)):
        ((code, lines),) = RECORDED[server][command].replies
        endpoint = parse_passive(code, "\n".join(lines))
        assert endpoint.host == host
        assert endpoint.port > 1023


@pytest.mark.parametrize(("text", "host", "port"), rows.PASV)
def test_pasv(text: str, host: str, port: int) -> None:
    assert parse_pasv(text) == PassiveEndpoint(host, port) == parse_passive(227, text)


@pytest.mark.parametrize("text", rows.NO_PASV)
def test_no_pasv(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_pasv(text)


@pytest.mark.parametrize("text", rows.EPSV)
def test_epsv(text: str) -> None:
    assert parse_epsv(text) == PassiveEndpoint(None, 1025) == parse_passive(229, text)


@pytest.mark.parametrize("text", rows.NO_EPSV)
def test_no_epsv(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_epsv(text)


def test_passive_goes_by_the_code() -> None:
    # quirk_pasv_answered_229 (cpython#127478): the caller sent PASV
    assert parse_passive(229, "Entering (|||1025|)") == PassiveEndpoint(None, 1025)
    with pytest.raises(ProtocolError):
        parse_passive(227, "Entering (|||1025|)")
    with pytest.raises(ProtocolError):
        parse_passive(228, "(127,0,0,1,4,1)")


@given(st.integers(1, 65535), st.ip_addresses(v=4), st.characters(min_codepoint=33, max_codepoint=126))
def test_passive_round_trip(port: int, host: object, mark: str) -> None:
    numbers = f"{host}".replace(".", ",")
    assert parse_pasv(f"ok ({numbers},{port >> 8},{port & 255})") == PassiveEndpoint(str(host), port)
    if not mark.isdigit():
        assert parse_epsv(f"ok ({mark * 3}{port}{mark})").port == port


# --- 257 ---


def test_paths_recorded() -> None:
    for server in SERVERS:
        before, inside = RECORDED[server].all("PWD")
        assert parse_path(before.text) == "/"
        assert parse_path(inside.text) == '/qu"o"te d'
        made = RECORDED[server]['MKD qu"o"te d'].text
        if server == "aioftp":
            with pytest.raises(ProtocolError):
                parse_path(made)
        else:
            assert parse_path(made).lstrip("/") == 'qu"o"te d'


@pytest.mark.parametrize(("text", "path"), rows.PATHS)
def test_path(text: str, path: str) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize("text", rows.NO_PATHS)
def test_no_path(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_path(text)


@given(
    st.text(st.characters(blacklist_characters="\0"), min_size=1),
    st.sampled_from(["", " is current", ' "and" more', "\nx"]),
)
def test_path_round_trip(path: str, comment: str) -> None:
    quoted = path.replace('"', '""')
    assert parse_path(f'"{quoted}"{comment}') == path


# --- 213 ---


def test_sizes_and_times_recorded() -> None:
    for server in FULL:
        recorded = RECORDED[server]
        assert parse_size(recorded["SIZE odd/sparse5g"].text) == 5 << 30
        assert parse_mdtm(recorded["MDTM odd/old1999"].text).value == datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC)
        for command in ("SIZE odd", "SIZE nope", "MDTM nope"):
            assert recorded[command].replies[0][0] == 550
    for server in ("proftpd", "pyftpdlib"):
        changed = parse_mdtm(RECORDED[server]["MFMT 20200229123456 f"].text)
        assert changed.value == datetime(2020, 2, 29, 12, 34, 56, tzinfo=UTC)


@pytest.mark.parametrize(("text", "size"), [("0", 0), ("12345", 12345), (" 7 ", 7), ("9223372036854775807", 2**63 - 1)])
def test_size(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", rows.NO_SIZES)
def test_no_size(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_size(text)


@pytest.mark.parametrize(("text", "value", "precision"), rows.MDTM)
def test_mdtm(text: str, value: datetime, precision: timedelta) -> None:
    parsed = parse_mdtm(text)
    assert (parsed.value, parsed.precision) == (value, precision)


@pytest.mark.parametrize("text", ["", " ", "UTIME OK", "20200230123456", "2020", "modify=; x", "19100"])
def test_no_mdtm(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_mdtm(text)


# --- FEAT ---


@pytest.mark.parametrize("server", FULL)
def test_features_recorded(server: str) -> None:
    features = parse_features(RECORDED[server]["FEAT"].replies[0][1])
    assert features.has("size")
    assert features.has("AUTH", "tls")
    assert features.has("REST", "STREAM")
    assert features.utf8
    assert features.has("MLST") == (server != "vsftpd")
    assert all(name == name.upper() and " " not in name for name in features.lines)
    assert pickle.loads(pickle.dumps(features)) == features


def test_features_of_proftpd() -> None:
    features = parse_features(RECORDED["proftpd"]["FEAT"].replies[0][1])
    assert features.lines["SITE"] == ("COPY", "MKDIR", "RMDIR", "SYMLINK", "UTIME")
    assert features.lines["MODE"] == ("Z",)
    assert features.has("hash", "md5")
    assert not features.has("XYZ")
    assert not features.has("REST", "BLOCK")


def test_features_of_pyftpdlib() -> None:
    features = parse_features(RECORDED["pyftpdlib"]["FEAT"].replies[0][1])
    assert features.has("AUTH", "SSL")
    assert features.has("AUTH", "TLS")
    assert features.has("MLST", "size*")
    assert not features.has("MLST", "unix.mode*")


@pytest.mark.parametrize(
    "inner",
    [
        [" SIZE", " MLST size*;type;", " REST STREAM"],
        ["SIZE", "MLST size*;type;", "REST STREAM"],  # quirk_feat_unindented
        ["211-SIZE", "211- MLST size*;type;", "211-rest stream"],  # quirk_feat_prefixed
        ["  SIZE ", "\tMLST  size*; type;", " REST STREAM", "", " "],
    ],
)
def test_features(inner: list[str]) -> None:
    features = parse_features(["Features:", *inner, "End"])
    assert set(features.lines) == {"SIZE", "MLST", "REST"}
    assert features.has("MLST", "size*")
    assert features.has("MLST", "type")
    assert features.lines["SIZE"] == ("",)
    assert features.has("REST", "STREAM")


def test_no_features() -> None:
    assert parse_features(["SIZE"]) == parse_features([]) == parse_features(["Features:", "End"]) == Features()
    assert not Features().has("SIZE")


# --- MLST ---


def test_mlst_recorded() -> None:
    for server in ("proftpd", "pureftpd", "pyftpdlib", "aioftp"):
        recorded = RECORDED[server]
        entry = mlst(recorded["MLST odd/plain.txt"].replies[0][1], "odd/plain.txt")
        assert (entry.name, entry.path, entry.kind) == ("plain.txt", "odd/plain.txt", EntryKind.FILE)
        assert (entry.size, entry.raw_name) == (6, b"plain.txt")
        assert entry.modified is not None
        assert mlst(recorded["MLST odd"].replies[0][1], "odd").is_dir
        assert mlst(recorded["MLST /"].replies[0][1], "/").is_dir
        assert recorded["MLST nope"].replies[0][0] == 550
    link = mlst(RECORDED["pureftpd"]["MLST odd/link"].replies[0][1], "odd/link")
    assert (link.is_link, link.target) == (True, None)


@pytest.mark.parametrize(
    "line",
    [
        " type=file;size=5; /d/f",
        "type=file;size=5; /d/f",  # quirk_mlst_unindented
        " type=file;size=5 f",  # quirk_facts_unterminated (NcFTPd)
        " Type=file;Size=5; \udcff",
    ],
)
def test_mlst(line: str) -> None:
    entry = mlst(("Listing", line, "End"))
    assert (entry.name, entry.path, entry.kind, entry.size) == ("f", "d/f", EntryKind.FILE, 5)
    assert mlst(("Listing", "", line, " ", "End")) == entry


@pytest.mark.parametrize("lines", rows.NO_MLST)
def test_no_mlst(lines: tuple[str, ...]) -> None:
    with pytest.raises(ProtocolError):
        mlst(lines)


# --- SYST, 150, servers, limits ---


def test_system() -> None:
    assert {parse_system(RECORDED[server]["SYST"].text) for server in SERVERS} == {"UNIX"}
    assert parse_system("Windows_NT") == "WINDOWS_NT"
    with pytest.raises(ProtocolError):
        parse_system(" ")


@pytest.mark.parametrize(
    ("server", "kind"),
    [
        ("vsftpd", ServerKind.VSFTPD),
        ("proftpd", ServerKind.PROFTPD),
        ("pureftpd", ServerKind.PUREFTPD),
        ("pyftpdlib", ServerKind.PYFTPDLIB),
        ("aioftp", ServerKind.UNKNOWN),
    ],
)
def test_identify_recorded(server: str, kind: ServerKind) -> None:
    greeting = RECORDED[server].exchanges[0]
    assert greeting.replies[0][0] == 220
    assert identify_server(greeting.text, RECORDED[server]["SYST"].text) is kind


def test_identify() -> None:
    assert identify_server("-FileZilla Server 0.9.60 beta\nwritten by Tim Kosse") is ServerKind.FILEZILLA
    assert identify_server("Microsoft FTP Service") is ServerKind.IIS
    assert identify_server("Welcome", "Windows_NT") is ServerKind.IIS
    assert identify_server("") is ServerKind.UNKNOWN


@pytest.mark.parametrize(("code", "text", "limit"), rows.LIMITS)
def test_limits(code: int, text: str, limit: bool) -> None:
    assert classify_limit(code, text) is limit


@pytest.mark.parametrize("code", [421, 530])
@pytest.mark.parametrize(
    "text",
    [
        "Too many failed login attempts",
        "Too many login attempts, try again later",
        "too many login failures, account locked",
        "Too many bad passwords for this user",
        "Too many users have tried incorrect passwords",
        "Too many invalid logins from your connection",
        "Maximum number of authentication attempts for this user exceeded",
        "Too many attempts by this client",
    ],
)
def test_failed_logins_are_no_limit(code: int, text: str) -> None:
    assert not classify_limit(code, text)


def test_transfer_types() -> None:
    assert [f"TYPE {kind}" for kind in (TransferType.ASCII, TransferType.IMAGE)] == ["TYPE A", "TYPE I"]


# --- whatever may come: documented errors only, in linear time ---

PARSERS: list[Callable[[str], object]] = [
    parse_pasv,
    parse_epsv,
    parse_path,
    parse_size,
    parse_mdtm,
    parse_system,
    identify_server,
    lambda text: parse_features(text.split("\n")),
    lambda text: mlst(tuple(text.split("\n"))),
    lambda text: classify_limit(421, text),
    lambda text: classify_limit(530, text),
]


def survives(text: str) -> None:
    for parse in PARSERS:
        try:
            parse(text)
        except ProtocolError as error:
            shown = str(error)
        else:
            shown = ""
        assert len(shown) < 2000
        assert shown.isascii() or "…" in shown


def test_cut_at_every_character() -> None:
    for transcript in RECORDED.values():
        for exchange in transcript.exchanges:
            for _, lines in exchange.replies:
                text = "\n".join(lines)
                for end in range(len(text)):
                    survives(text[:end])


@given(st.text(max_size=100))
def test_any_text(text: str) -> None:
    survives(text)
    survives(f"Begin\n{text}\nEnd")


@given(
    st.lists(
        st.sampled_from([*'("|,; =\n', "1", "255", "bytes)", "too many", "maximum number", "20200229123456", "MLST"])
    )
)
def test_any_words(words: list[str]) -> None:
    survives("".join(words))


@pytest.mark.parametrize("text", rows.MEGABYTES, ids=lambda text: repr(text[:10]))
def test_a_megabyte_in_linear_time(text: str) -> None:
    started = time.perf_counter()
    survives(text)
    assert time.perf_counter() - started < 5
