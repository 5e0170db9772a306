"""Rows for the tests of reply texts: the text, and what it means."""

from datetime import UTC, datetime, timedelta

PASV = [
    ("Entering Passive Mode (127,0,0,1,4,1).", "127.0.0.1", 1025),
    ("Entering Passive Mode (255,255,255,255,255,255)", "255.255.255.255", 65535),
    ("Entering Passive Mode (0,0,0,0,0,1)", "0.0.0.0", 1),
    ("Entering Passive Mode 10,0,0,138,4,1", "10.0.0.138", 1025),  # RFC 1123 §4.1.2.6
    ("=10,0,0,138,4,1", "10.0.0.138", 1025),
    ("010,000,000,138,004,001", "10.0.0.138", 1025),
    # quirk_multiline_227 (aioftp#142)
    ("Entering Passive Mode\n(10,0,0,138,4,1)\nok", "10.0.0.138", 1025),
    ("Entering\n227-Passive Mode (10,0,0,138,4,1)", "10.0.0.138", 1025),
]

NO_PASV = [
    "",
    "ok",
    "(1,2,3,4,5)",
    "(1,2,3,4,5,6,7)",
    "(1,2,3,4,0,0)",
    "(256,0,0,1,4,1)",
    "(1,2,3,4,256,1)",
    "(1,2,3,4,1,256)",
    "(1,2,3,4,5,1000)",
    "(-1,2,3,4,5,x)",
    "1.2.3.4:5",
    "(|||1025|)",
    "\0",
]

EPSV = ["(|||1025|)", "ok (|||1025|) ok", "(!!!1025!)", "(~~~1025~)", "ok\n(|||01025|)"]

NO_EPSV = [
    "",
    "ok",
    "|||1025|",
    "(|||0|)",
    "(|||65536|)",
    "(|||99999|)",
    "(|||100000|)",
    "(||1025|)",
    "(|||1025)",
    "(|||1025!)",
    "(||!1025|)",
    "(   1025 )",
    "(5551025 5)",
    "(55510255)",
    "(|||x|)",
    "(|1|10.0.0.1|1025|)",
    "(|||-1|)",
]

PATHS = [
    ('"/"', "/"),
    ('"/a b" is the current directory.', "/a b"),
    ('PATHNAME "/a" created', "/a"),
    ('"/a""b" x', '/a"b'),
    ('"""a"""', '"a"'),
    ('"/a" is "home"', "/a"),
    ('"/a"\nsecond line', "/a"),
    ('"/a\udce4" x', "/a\udce4"),
    ('"/a".', "/a"),
    # quirk_quotes_not_doubled (Pure-FTPd, aioftp)
    ('"/a"b" is your current location', '/a"b'),
    ('"a"b"c" : The directory was successfully created', 'a"b"c'),
    ('"/a"" is your current location', '/a"'),
]

NO_PATHS = ["", "/a", '"', 'x "', '""', '"" x', '"/a', '"a\0b"']

NO_SIZES = [
    "",
    "SIZE",
    "SIZE 5",
    "-1",
    "+1",
    "1.5",
    "5 bytes",
    "1_000",
    "0x10",
    "9223372036854775808",
    "1" * 5000,
    "\u0665",
    "5\n6",
]

MDTM = [
    ("20200229123456", datetime(2020, 2, 29, 12, 34, 56, tzinfo=UTC), timedelta(seconds=1)),
    (
        "20200229123456.250",
        datetime(2020, 2, 29, 12, 34, 56, 250000, tzinfo=UTC),
        timedelta(milliseconds=1),
    ),
    (" 20200229123456 file", datetime(2020, 2, 29, 12, 34, 56, tzinfo=UTC), timedelta(seconds=1)),
    (
        "Modify=20200229123456; a file",
        datetime(2020, 2, 29, 12, 34, 56, tzinfo=UTC),
        timedelta(seconds=1),
    ),
    # quirk_year_19100 (Net::FTP)
    ("191000229123456", datetime(2000, 2, 29, 12, 34, 56, tzinfo=UTC), timedelta(seconds=1)),
]

NO_MLST = [
    (),
    ("type=file; f",),
    ("Begin", "End"),
    ("Begin", " a=b; f", " a=b; g", "End"),
    ("Begin", "rubbish", "End"),
    ("Begin", " rub;bish; f", "End"),
    ("Begin", " type=file;", "End"),
    ("Begin", " type=file; \ud800", "End"),
]

LIMITS = [
    # as the servers sent them when their limit was 2
    (421, "There are too many connected users, please try later.", True),
    (
        421,
        "There are too many connections from your internet address.",
        True,
    ),
    (421, "Too many connections (2) from this IP", True),
    (421, "2 users (the maximum) are already logged in, sorry", True),
    (
        530,
        "Sorry, the maximum number of allowed clients (2) are already connected.",
        True,
    ),
    (
        530,
        "Sorry, the maximum number of clients (2) from your host are already connected.",
        True,
    ),
    (
        530,
        "Sorry, the maximum number of clients (2) for this user are already connected.",
        True,
    ),
    (
        530,
        "Sorry, the maximum number of connections (2) for your host are already connected.",
        True,
    ),
    # as their sources or users word them
    (421, "Too many connections. Service temporarily unavailable.", True),
    (421, "Too many users are connected, please try again later.", True),
    (421, "Too many users", True),
    (530, "Sorry, too many connections for this user.", True),
    (530, "TOO MANY SESSIONS OPEN", True),
    # something else
    (421, "Timeout.", False),
    (421, "Service not available", False),
    (421, "Idle time limit exceeded", False),
    (530, "Login incorrect.", False),
    (530, "Login authentication failed", False),
    (530, "Authentication failed.", False),
    (530, "Too many wrong passwords", False),
    (550, "Too many connections", False),
    (230, "Too many connections", False),
    (421, "", False),
]

MEGABYTES = [
    "1," * 500_000,
    '"' * 1_000_001,
    "(" * 1_000_000,
    "(|||" * 250_000,
    "(1" * 500_000,
    "too many " * 100_000,
    "maximum number " * 70_000,
    "1" * 1_000_000,
    " " * 1_000_000,
    "\n" * 200_000,
    "x\n" + "a=b;" * 250_000 + " f\nx",
]
