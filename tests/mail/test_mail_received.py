"""Messages that were read, and names of files that senders chose."""

from __future__ import annotations

import ntpath
import os
import pickle
import posixpath
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients import PermanentReplyError, Received
from netclients.mail.reading import UID
from netclients.mail.received import clean_filename, numbered

DEVICES = [
    "CON",
    "PRN",
    "AUX",
    "NUL",
    "CONIN$",
    "CONOUT$",
    *(f"{kind}{n}" for kind in ("COM", "LPT") for n in "0129¹²³"),
]


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("report.pdf", "report.pdf"),
        ("Bericht über 2026.pdf", "Bericht über 2026.pdf"),
        ("日本.txt", "日本.txt"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\windows\\win.ini", "win.ini"),
        ("/etc/passwd", "passwd"),
        ("C:\\autoexec.bat", "autoexec.bat"),
        ("C:autoexec.bat", "autoexec.bat"),
        ("\\\\server\\share\\x.exe", "x.exe"),
        ("a.txt:stream", "a.txt_stream"),
        (".bashrc", "bashrc"),
        ("..", "fallback"),
        ("...", "fallback"),
        (". . .", "fallback"),
        ("", "fallback"),
        (None, "fallback"),
        ("dir/", "fallback"),
        ("   ", "fallback"),
        ("x\0.txt", "x_.txt"),
        ("a\r\nb\x1b[31m.txt", "a__b_[31m.txt"),
        ("photo\u202egpj.exe", "photo_gpj.exe"),
        ("\u2066x\u2069.txt", "_x_.txt"),
        ("line\u2028break", "line_break"),
        ('a<b>c"d|e?f*g', "a_b_c_d_e_f_g"),
        ("name. . ", "name"),
        (" name", "name"),
        ("con", "_con"),
        ("Con.txt", "_Con.txt"),
        ("nul .tar.gz", "_nul .tar.gz"),
        (".NUL", "_NUL"),
        ("console.txt", "console.txt"),
        ("lone\udc80.txt", "lone_.txt"),
        ("~root", "~root"),
        ("-rf", "-rf"),
        ("$HOME.txt", "$HOME.txt"),
    ],
)
def test_clean(name: str | None, clean: str) -> None:
    assert clean_filename(name, "fallback") == clean


@pytest.mark.parametrize("device", DEVICES)
def test_devices_of_windows(device: str) -> None:
    for name in (device, device.lower(), f"{device}.txt", f" {device} ", f"{device}."):
        assert clean_filename(name, "fallback").startswith("_")


def test_long_names() -> None:
    for name in (
        "x" * 300,
        "x" * 300 + ".pdf",
        "é" * 300 + ".pdf",
        "日" * 300,
        "x." + "y" * 300,
        "x" * 196 + " " * 9 + "y",
    ):
        clean = clean_filename(name, "f")
        assert 100 < len(clean.encode()) <= 200
        assert clean.endswith(".pdf") == name.endswith(".pdf")


@given(st.text(max_size=300) | st.text("./\\ :CONaux\u202e\x00\x7f\ud800é", max_size=30))
def test_never_harmful(name: str) -> None:
    clean = clean_filename(name, "fallback")
    assert clean
    assert clean not in (".", "..")
    assert not clean.startswith((".", " "))
    assert not clean.endswith((".", " "))
    assert len(clean.encode()) <= 200
    assert posixpath.basename(clean) == ntpath.basename(clean) == clean
    assert not set(clean) & set('<>:"/\\|?*')
    assert not [char for char in clean if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")]
    assert not [char for char in clean if unicodedata.bidirectional(char) in ("RLO", "LRO", "RLE", "LRE", "RLI", "LRI")]
    assert clean_filename(clean, "fallback") == clean
    assert clean.partition(".")[0].rstrip().upper() not in DEVICES
    assert (Path("/d") / clean).parent == Path("/d")
    assert os.fsencode(clean)


@pytest.mark.parametrize(
    ("name", "second"),
    [("a.txt", "a (1).txt"), ("a", "a (1)"), ("a.tar.gz", "a.tar (1).gz"), (".x", ".x (1)")],
)
def test_numbered(name: str, second: str) -> None:
    assert numbered(name, 0) == name
    assert numbered(name, 1) == second


def test_received() -> None:
    item = Received(UID("1"), b"Subject: x\r\n\r\nhello")
    item.raise_for_error()
    assert item.message["Subject"] == "x"
    assert item.message is not item.message
    assert b"hello" not in repr(item).encode()
    assert pickle.loads(pickle.dumps(item)) == item
    error = PermanentReplyError("UID FETCH", None, "gone")
    lost = Received(UID("2"), error=error)
    with pytest.raises(PermanentReplyError):
        lost.raise_for_error()
    with pytest.raises(PermanentReplyError):
        _ = lost.message
