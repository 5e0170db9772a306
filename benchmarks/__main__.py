"""``python -m benchmarks [--rows ROW,…] [--runs N] [--quick] [--write FILE | --update FILE]``: measure and print.

Needs Linux, root and vsftpd, curl, lftp, Postfix with its smtp-sink and Dovecot (Debian packages), and the
dependency group ``bench``. A row or contender that can't run says why and is left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from benchmarks import row_at_once, row_download, row_file, row_imap, row_import, row_many, row_smtp, row_sync
from benchmarks.harness import Bench, Row, RowMissing, render, replace_sections
from benchmarks.machine import describe

ROWS: Mapping[str, Row] = {
    "download": row_download.plain,
    "file": row_file.to_file,
    "tls": row_download.tls,
    "many": row_many.on_loopback,
    "latency": row_many.far_away,
    "at-once": row_at_once.at_once,
    "import": row_import.imports,
    "sync": row_sync.calls,
    "smtp": row_smtp.near,
    "smtp-latency": row_smtp.far_away,
    "smtp-memory": row_smtp.in_bulk,
    "compose": row_smtp.composing,
    "imap": row_imap.near,
    "imap-memory": row_imap.in_bulk,
    "imap-latency": row_imap.far_away,
}

HEAD = """# Benchmarks

Written by `nox -s bench`. All contenders of a table were measured in turn in one
run (A B C A B C …), each in a process of its own, {runs} times; their servers run in other processes on the same
machine. *netclients is* compares medians: 2 means twice as good. A bar for an absolute figure holds for the
worst run.

{machine}

"""


def main() -> None:
    arguments = _parse()
    bench = Bench(runs=arguments.runs, quick=arguments.quick)
    page = HEAD.format(runs=bench.runs, machine=describe())
    print(page)
    sections = []
    for name in arguments.rows:
        sections.append(_measure(name, bench))
        print("\n".join(sections[-1]), flush=True)
    if arguments.write is not None:
        arguments.write.write_text(replace_sections(page, sections), encoding="utf-8")
    if arguments.update is not None:
        page = arguments.update.read_text(encoding="utf-8")
        arguments.update.write_text(replace_sections(page, sections), encoding="utf-8")


def _measure(name: str, bench: Bench) -> list[str]:
    lines = [f"## {name}", ""]
    try:
        for table in ROWS[name](bench):
            lines += render(table)
    except RowMissing as reason:
        lines += [f"Left out: {reason}", ""]
    return lines


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rows", type=_rows, default=list(ROWS), help=f"some of: {','.join(ROWS)}")
    parser.add_argument("--runs", type=int, default=5, help="how often each contender is measured (5)")
    parser.add_argument("--quick", action="store_true", help="little work: shows that it runs, not how fast")
    file = parser.add_mutually_exclusive_group()
    file.add_argument("--write", type=Path, metavar="FILE", help="write the page here too")
    file.add_argument("--update", type=Path, metavar="FILE", help="replace only the measured rows of this page")
    return parser.parse_args()


def _rows(text: str) -> list[str]:
    rows = text.split(",")
    if unknown := [row for row in rows if row not in ROWS]:
        raise argparse.ArgumentTypeError(f"no row {', '.join(unknown)}; there are {', '.join(ROWS)}")
    return rows


if __name__ == "__main__":
    main()
