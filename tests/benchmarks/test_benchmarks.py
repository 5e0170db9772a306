"""The benchmark runs: one tiny row, and what it makes of figures."""

import pytest

from benchmarks import row_import, row_smtp
from benchmarks.__main__ import ROWS, main
from benchmarks.harness import Bench, Contender, Table, interleave, render, replace_sections
from benchmarks.messages import SIZE, messages


def contender(name: str, *figures: float, **bars: float) -> Contender:
    left = list(figures)
    return Contender(name, lambda: left.pop(0), **bars)


def test_contenders_take_turns() -> None:
    order: list[str] = []

    def measured(name: str) -> float:
        order.append(name)
        return 1.0

    interleave([Contender(name, lambda name=name: measured(name)) for name in "AB"], 2)
    assert order == ["A", "B", "A", "B"]


def test_a_table_judges_by_medians_and_limits_by_the_worst() -> None:
    ours = contender("ours", 10, 30, 20, limit=15)
    peer = contender("peer", 10, 8, 12, factor=2.0)
    fast = contender("fast", 40, 40, 40, factor=1.0)
    absent = Contender("absent", lambda: 0.0, missing="not installed")
    table = Table("work", "MiB/s", [ours, peer, fast, absent])
    interleave(table.contenders, 3)
    lines = "\n".join(render(table))
    assert "| ours | 20 | 10 … 30 |  | ≥ 15 MiB/s | **no** |" in lines
    assert "| peer | 10 | 8 … 12 | 2.00 | ≥ 2.0 | yes |" in lines
    assert "| fast | 40 | 40 … 40 | 0.50 | ≥ 1.0 | **no** |" in lines
    assert "| absent | left out: not installed |" in lines


def test_less_is_better_where_time_is_measured() -> None:
    table = Table("time", "ms", [contender("ours", 5.0), contender("peer", 10.0, factor=2.0)])
    interleave(table.contenders, 1)
    assert table.ratio(table.contenders[1]) == 2.0


def test_sections_are_replaced_and_the_rest_of_the_page_stays() -> None:
    page = "# Page\n\nHead.\n\n## one\n\nold\n\n## one more\n\nstays\n"
    replaced = replace_sections(page, [["## one", "", "new", ""], ["## two", "", "added", ""]])
    assert replaced == "# Page\n\nHead.\n\n## one\n\nnew\n\n## one more\n\nstays\n\n## two\n\nadded\n"
    assert replace_sections(replaced, []) == replaced


def test_messages_are_all_different_and_of_one_size() -> None:
    made = list(messages(1200, 9))
    assert len(set(made)) == 1200
    assert {len(message) for message in made} == {SIZE}
    assert all(message.endswith(b"\r\n") and b"\n" not in message.replace(b"\r\n", b"") for message in made)


def test_the_compose_row_runs() -> None:
    [table] = row_smtp.composing(Bench(runs=1, quick=True))
    assert all(contender.median > 0 for contender in table.contenders)


def test_the_import_row_runs() -> None:
    [table] = row_import.imports(Bench(runs=1, quick=True))
    assert all(contender.median > 0 for contender in table.contenders)
    assert "It loads no other protocol." in table.notes


@pytest.mark.parametrize("rows", ["nothing", "import,nothing"])
def test_unknown_rows_are_refused(
    rows: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["benchmarks", "--rows", rows])
    with pytest.raises(SystemExit):
        main()
    message = capsys.readouterr().err
    assert "no row nothing" in message
    assert all(row in message for row in ROWS)
