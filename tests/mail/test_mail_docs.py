"""The examples of the page about composing run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.mail.test_mail_dkim import PEM

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "compose.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_example_runs(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("report.pdf", "logo.png"):
        Path(name).write_bytes(b"content")
    Path("private.pem").write_text(PEM)
    exec(compile(EXAMPLES[number], f"{PAGE.name}, example {number + 1}", "exec"), {})


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 5
