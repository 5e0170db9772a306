"""The directory full of odd names that was listed on every server: what is in it."""

from tests.ftp.data.listing_rows import utc

ODD_NAMES = {
    b"  two leading",
    b" leading",
    b"trailing ",
    b"two  spaces inside",
    b"-dash",
    b"a -> b",
    b"back\\slash",
    b'quote"d',
    b"semi;colon=x; y",
    b"glob*[x]?",
    "héllo wörld.txt".encode(),
    "日本語".encode(),
    b"empty",
    b"sparse5g",
    b"epoch",
    b"old1999",
    b"leap2024",
    b"lastyear",
    b"ago170d",
    b"ago190d",
    b"future10m",
    b"future2d",
    b"future400d",
    b"plain.txt",
    b"rootown",
    b"secret",
    b"setuid",
    b"setuidnox",
    b"uid12345",
    b"dir with space",
    b"emptydir",
    b"noread",
    b"setgid",
    b"sticky",
    b"stickynox",
    b"link",
    b"dirlink",
    b"spacelink",
    b"semilink",
}
UNDECODABLE = {b"caf\xe9.txt", b"iac\xffname"}
CONTROLS = {b"ctrl\x01\x1b[31m", b"cr\rname", b"nl\nname", b"tab\there"}
SPECIALS = {b"blk", b"null", b"fifo", b"sock"}
DANGLING = {b"dangling", b"x -> y"}
DIRS = {b"dir with space", b"emptydir", b"noread", b"setgid", b"sticky", b"stickynox"}
LINKS = {
    b"link": "plain.txt",
    b"dirlink": "emptydir",
    b"spacelink": "dir with space",
    b"semilink": "semi;colon=x; y",
    b"dangling": "nowhere/else",
    b"x -> y": "p -> q",
}
MODES = {
    b"setuid": 0o4755,
    b"setuidnox": 0o4644,
    b"setgid": 0o2755,
    b"sticky": 0o1777,
    b"stickynox": 0o1776,
    b"secret": 0,
    b"noread": 0o700,
    b"epoch": 0o644,
}
TIMES = {
    b"old1999": utc(1999, 12, 31, 23, 59, 59),
    b"epoch": utc(1970, 1, 1),
    b"leap2024": utc(2024, 2, 29, 12, 30),
    b"lastyear": utc(2025, 12, 31, 23, 59),
}
