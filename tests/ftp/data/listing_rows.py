"""Rows for the tests of listing lines: the line, and what it means."""

from datetime import UTC, datetime, timedelta

from netclients.ftp.types import Entry, EntryKind

FILE, DIR, LINK, OTHER = EntryKind.FILE, EntryKind.DIR, EntryKind.LINK, EntryKind.OTHER


def utc(*numbers: int) -> datetime:
    year, month, day, *rest = numbers
    return datetime(year, month, day, *rest, tzinfo=UTC)


def listed(
    kind: EntryKind, name: str, size: int | None, mode: int = 0o644, target: str | None = None
) -> tuple[object, ...]:
    return kind, name, size, mode, target


AT = utc(2020, 2, 29, 12, 34, 56)

MLSD_ROWS = [
    (b"type=file;size=5;modify=20200229123456; f", Entry("f", "d/f", FILE, 5, AT, precision=timedelta(seconds=1))),
    (b"TYPE=FILE;Size=5;MODIFY=20200229123456; f", Entry("f", "d/f", FILE, 5, AT, precision=timedelta(seconds=1))),
    (
        b"type=file;modify=20200229123456.25; f",
        Entry("f", "d/f", FILE, None, AT.replace(microsecond=250000), precision=timedelta(milliseconds=10)),
    ),
    (b"type=dir;unix.mode=02755; x", Entry("x", "d/x", DIR, mode=0o2755)),
    (b"Type=Dir; x", Entry("x", "d/x", DIR)),
    (b"type=file; a;b=c; d", Entry("a;b=c; d", "d/a;b=c; d", FILE)),
    (b"type=file;  f ", Entry(" f ", "d/ f ", FILE)),
    (b" f", Entry("f", "d/f", OTHER)),
    (b"type=OS.unix=slink:/a/b;size=4; l", Entry("l", "d/l", LINK, 4, target="/a/b")),
    (b"type=OS.UNIX=SLINK:A b; l", Entry("l", "d/l", LINK, target="A b")),
    (b"type=OS.unix=slink:; l", Entry("l", "d/l", LINK)),
    (b"type=OS.unix=symlink; l", Entry("l", "d/l", LINK)),
    (b"type=OS.unix=chr-1/3; null", Entry("null", "d/null", OTHER)),
    (b"type=unknown; x", Entry("x", "d/x", OTHER)),
    (b"size=-1;type=file; f", Entry("f", "d/f", FILE)),
    (b"size=;type=file;modify=; f", Entry("f", "d/f", FILE)),
    (b"size=99999999999999999999999;type=file; f", Entry("f", "d/f", FILE)),
    (b"size=1_000;type=file; f", Entry("f", "d/f", FILE)),
    (b"unix.mode=0999;type=file; f", Entry("f", "d/f", FILE)),
    (b"modify=20200230123456;type=file; f", Entry("f", "d/f", FILE)),
    (b"type=file;x=a=b; f", Entry("f", "d/f", FILE)),
    (b"type=file;; f", Entry("f", "d/f", FILE)),
    (b"type=file; \xe4", Entry("\udce4", "d/\udce4", FILE)),
    (b"type=file; \x1b[31m\r\n", Entry("\x1b[31m\r\n", "d/\x1b[31m\r\n", FILE)),
    (b"type=file; con", Entry("con", "d/con", FILE)),
    # quirk_spaces_in_facts (proftpd#1367, proftpd#1495)
    (b"type=file;UNIX.groupname=domain users;UNIX.mode=0644; f", Entry("f", "d/f", FILE, mode=0o644)),
    (b"type=file;UNIX.groupname=domain users; a b; c", Entry("a b; c", "d/a b; c", FILE)),
    (b"UNIX.ownername=a b c;type=dir; x", Entry("x", "d/x", DIR)),
    # quirk_facts_unterminated (NcFTPd)
    (b"type=file;size=5 f", Entry("f", "d/f", FILE, 5)),
    (b"type=file;size=5 a; b", Entry("a; b", "d/a; b", FILE, 5)),
    (b"unix.groupname=users f", Entry("f", "d/f", OTHER)),
    # quirk_year_19100
    (
        b"type=file;modify=191000229123456; f",
        Entry("f", "d/f", FILE, None, utc(2000, 2, 29, 12, 34, 56), precision=timedelta(seconds=1)),
    ),
]

LIST_ROWS = [
    (b"-rw-r--r--    1 1000     1000            6 Jan 01  2020 f", listed(FILE, "f", 6)),
    (b"-rw-r--r-- 1 none none 6 Nov 22 00:32 f", listed(FILE, "f", 6)),
    (b"-rw-r--r--   1 alice    65534           6 Jun  5 00:32  f ", listed(FILE, " f ", 6)),
    (b"-rw-r--r--+  1 alice    users           6 Jun  5 00:32 f", listed(FILE, "f", 6)),
    (b"-rw-r--r--.  1 alice    users           6 Jun  5 00:32 f", listed(FILE, "f", 6)),
    (b"-rw-r--r--@  1 alice    users           6 Jun  5 00:32 f", listed(FILE, "f", 6)),
    (b"-rw-r--r-- 1 oinstall 65536 Jul 25 15:01 f.dmp", listed(FILE, "f.dmp", 65536)),  # node-ftp#188
    (b"drwxr-S---    3 105207   501            18 Jul 04  2017 .pki", listed(DIR, ".pki", 18, 0o2740)),
    (b"drwxr-xr-x 2 0 0 4096 Jan 01 2020 1 Jan 01 2020 x", listed(DIR, "1 Jan 01 2020 x", 4096, 0o755)),
    (b"crw-rw-rw-   1 root     root       1,   3 Jan  1  2020 null", listed(OTHER, "null", None, 0o666)),
    (b"brw-rw----   1 root     7,200 Jan  1  2020 loop", listed(OTHER, "loop", None, 0o660)),
    (b"prw-r--r--   1 root root 0 Jan  1  2020 fifo", listed(OTHER, "fifo", 0)),
    (b"srwxr-xr-x   1 root root 0 Jan  1  2020 sock", listed(OTHER, "sock", 0, 0o755)),
    (b"lrwxrwxrwx 1 a b 1 Jan  1  2020 l -> t", listed(LINK, "l", 1, 0o777, "t")),
    (b"lrwxrwxrwx 1 a b 6 Jan  1  2020 x -> y -> p -> q", listed(LINK, "x -> y", 6, 0o777, "p -> q")),
    (b"lrwxrwxrwx 1 a b 99 Jan  1  2020 x -> y -> z", listed(LINK, "x", 99, 0o777, "y -> z")),
    (b"lrwxrwxrwx 1 a b 99999999999999999999 Jan  1  2020 l -> t", listed(LINK, "l", None, 0o777, "t")),
    (b"lrwxrwxrwx 1 a b 5 Jan  1  2020 l", listed(LINK, "l", 5, 0o777)),
    (b"-rw-r--r-- 1 a b 5 Jan  1  2020 a -> b", listed(FILE, "a -> b", 5)),
    (b"-rwsrwSrwt 1 a b 5 Jan  1  2020 f", listed(FILE, "f", 5, 0o7767)),
    (b"---------T 1 a b 5 Jan  1  2020 f", listed(FILE, "f", 5, 0o1000)),
    (b"-rw-r-lr-- 1 a b 5 Jan  1  2020 f", listed(FILE, "f", 5, 0o2644)),
    (b"-rw-r--r-- 1 a b 99999999999999999999 Jan  1  2020 f", listed(FILE, "f", None)),
    (b"-rw-r--r-- 1 a b 5 Jan  1  2020 a\nb", listed(FILE, "a\nb", 5)),
    (b"-rw-r--r-- 1 a b 5 Jan  1  2020 \xff", listed(FILE, "\udcff", 5)),
    # quirk_spaces_in_owner (fireftp#139, fireftp#160)
    (b"drwxrwxr-x    1 robertja Domain Users        0 Nov 10 17:25 c", listed(DIR, "c", 0, 0o775)),
    (b"-rw-r--r--    1 1000     All the users       7 Nov 10 17:25 7 x", listed(FILE, "7 x", 7)),
]

MLSD_SKIPPED = [
    b"type=cdir; .",
    b"type=pdir; ..",
    b"Type=CDIR; d",
    b"type=cdir; /home/d",
    b"type=pdir; /",
    b"type=cdir; ",
    b"type=dir; .",
    b"type=dir;perm=el; ..",
    # quirk_blank_line
    b"",
]

MLSD_REFUSED = [
    b" ",
    b"f",
    b"type=file;",
    b"type=file;size=5",
    b"drwxr-xr-x 2 a b 4096 Jan  1 2020 x",
    b"total 5",
    b"type=file; ",
    b"type=file; ..",
    b"type=file; .",
    b"type=OS.unix=slink:/; ..",
    b"; ..",
    b"type=file; /etc/passwd",
    b"type=file; ../x",
    b"type=dir; a/",
    b"type=file; a\0b",
    b"nonsense; f",
]

LIST_SKIPPED = [
    b"",
    b"   ",
    b"\r",
    b"total 0",
    b"total 123456",
    b"Total 5",
    b"drwxr-xr-x 2 0 0 4096 Jan 01 2020 .",
    b"drwxr-xr-x 2 0 0 4096 Jan 01 2020 ..",
]

LIST_REFUSED = [
    b"f",
    b"type=file; f",
    b"total",
    b"total x",
    b"odd:",
    b"01-01-20  12:00PM  <DIR>  x",
    b"-rw-r--r-- 1 a b 5 Jan  1  2020 ",
    b"-rw-r--r-- 1 a b 5 Jan  1  2020",
    b"-rw-r--r-- 1 a b 5 Jan 32  2020 f",
    b"-rw-r--r-- 1 a b 5 Feb 30 12:00 f",
    b"-rw-r--r-- 1 a b 5 Feb 29  2023 f",
    b"-rw-r--r-- 1 a b 5 Jan  0 12:00 f",
    b"-rw-r--r-- 1 a b 5 Jan  1 24:00 f",
    b"-rw-r--r-- 1 a b 5 Jan  1 12:60 f",
    b"-rw-r--r-- 1 a b 5 Jan  1  0000 f",
    b"-rw-r--r-- 1 a b 5 Mai  1  2020 f",
    b"-rw-r--r-- 1 a b x Jan  1  2020 f",
    b"-rw-r--r-- 1 u g 5 Mai 01 12:00 f 3 Jan 01 2020 x",
    b"-qw-r--r-- 1 a b 5 Jan  1  2020 f",
    b"-rw-r--r-- 1 a b 5 Jan  1  2020 /etc/passwd",
    b"-rw-r--r-- 1 a b 5 Jan  1  2020 ../x",
    b"-rw-r--r-- 1 a b 5 Jan  1  2020 a\0b",
    b"lrwxrwxrwx 1 a b 1 Jan  1  2020 a/b -> c",
]

LIST_DATES = [
    # aioftp#196: the year that makes it past, not the running one
    (b"Dec 31 23:59", utc(2026, 1, 1, 0, 0), utc(2025, 12, 31, 23, 59)),
    (b"Jun  5 00:32", utc(2026, 11, 22), utc(2026, 6, 5, 0, 32)),
    (b"Nov 22 12:00", utc(2026, 11, 22, 11), utc(2026, 11, 22, 12)),
    (b"Nov 23 10:59", utc(2026, 11, 22, 11), utc(2026, 11, 23, 10, 59)),
    (b"Nov 23 11:00", utc(2026, 11, 22, 11), utc(2026, 11, 23, 11)),
    (b"Nov 23 11:01", utc(2026, 11, 22, 11), utc(2025, 11, 23, 11, 1)),
    # the server's clock is ahead, over New Year
    (b"Jan  1 01:00", utc(2026, 12, 31, 23), utc(2027, 1, 1, 1)),
    (b"Jan  2 01:00", utc(2026, 12, 31, 23), utc(2026, 1, 2, 1)),
    # leap days
    (b"Feb 29 12:00", utc(2024, 3, 5), utc(2024, 2, 29, 12)),
    (b"Feb 29 12:00", utc(2024, 2, 28, 13), utc(2024, 2, 29, 12)),
    (b"Feb 29 12:00", utc(2024, 2, 28, 11), utc(2020, 2, 29, 12)),
    (b"Feb 29 12:00", utc(2026, 11, 22), utc(2024, 2, 29, 12)),
    (b"Feb 29 12:00", utc(2104, 1, 1), utc(2096, 2, 29, 12)),
    # with a year
    (b"Feb 29  2024", utc(2026, 11, 22), utc(2024, 2, 29)),
    (b"Nov 22  2026", utc(2026, 11, 22), utc(2026, 11, 22)),
    (b"Dec 27  2027", utc(2026, 11, 22), utc(2027, 12, 27)),
]

TIMES = [
    ("20200229123456", utc(2020, 2, 29, 12, 34, 56), 1.0),
    ("20200229123456.7", utc(2020, 2, 29, 12, 34, 56, 700000), 0.1),
    ("20200229123456.123456", utc(2020, 2, 29, 12, 34, 56, 123456), 0.000001),
    ("20200229123456.1234567899", utc(2020, 2, 29, 12, 34, 56, 123456), 0.000001),
    ("20161231235960", utc(2017, 1, 1), 1.0),
    ("191000101000000", utc(2000, 1, 1), 1.0),
    ("191260704010203.5", utc(2026, 7, 4, 1, 2, 3, 500000), 0.1),
    ("19101231235959", utc(1910, 12, 31, 23, 59, 59), 1.0),
]

NO_TIMES = [
    "",
    "2020022912345",
    "202002291234567",
    "20200230123456",
    "20201301000000",
    "20200101240001",
    "20200101006000",
    "20200101000061",
    "00000101000000",
    "99991231235960",
    "2020-02-29T12:34",
    "20200229123456.",
    "20200229123456Z",
    " 20200229123456",
    "\uff12" * 14,
    "20200229123456." + "1" * 100,
    "-0200229123456",
]

MEGABYTES = [
    b"a=b;" * 250_000 + b" f",
    b"a" * 1_000_000,
    b" " * 1_000_000,
    b"; " * 500_000,
    b"=" * 1_000_000,
    b"unix.group=" + b"a " * 500_000,
    b"-rw-r--r-- 1 " + b"a " * 500_000,
    b"-rw-r--r-- 1 a" + b" " * 1_000_000,
    b"-rw-r--r-- 1 a b " + b"1" * 1_000_000,
    b"-rw-r--r-- 1 a b 1 Jan" + b" " * 1_000_000 + b"x",
    b"lrwxrwxrwx 1 a b 1 Jan  1  2020 " + b" -> " * 250_000,
    b"type=file;modify=" + b"1" * 1_000_000 + b"; f",
    b"type=file;size=" + b"1" * 1_000_000 + b"; f",
    b"type=file;unix.mode=" + b"7" * 1_000_000 + b"; f",
    b"-rw-r--r-- " + b"1" * 1_000_000,
    b"-rw-r--r-- 1 a " + b"1," * 500_000,
    b"total " + b"1" * 1_000_000 + b"x",
    b"a/" * 500_000 + b"b",
]

MLST_ROWS = [
    (b"type=file; /odd/plain.txt", "odd/plain.txt", "plain.txt", b"plain.txt"),
    (b"type=file; x", "odd/plain.txt", "plain.txt", b"x"),
    (b"type=dir; /odd/", "/odd/", "odd", b"odd"),
    (b"type=cdir; .", "", "", b"."),
    (b"type=cdir; /", "/", "/", b"/"),
    (b"type=pdir; ..", "..", "..", b".."),
    (b"type=file; a\xe4", "a\udce4", "a\udce4", b"a\xe4"),
]

WORDS = [
    b" ",
    b";",
    b"=",
    b"type",
    b"file",
    b"os.unix=slink:",
    b" -> ",
    b"-rw-r--r--",
    b"1",
    b"Jan",
    b"12:00",
    b"2020",
    b"size",
    b"modify",
    b"/",
    b"..",
    b",",
    b"total",
]
