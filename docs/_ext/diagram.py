"""A state diagram as SVG: states in one column, arrows down on the right, arrows up on the left."""

from __future__ import annotations

from html import escape

_WIDTH, _HEIGHT, _GAP, _MIDDLE = 190, 36, 64, 380
_STEP = 62  # how much further out an arrow runs for each state that it passes

_HALO = "fill: currentColor; stroke: var(--color-background-primary, white); stroke-width: 5; paint-order: stroke"

_HEAD = """<svg viewBox="0 0 760 {height}" role="img" aria-label="state diagram" style="max-width: 760px; width: 100%"
 font-family="sans-serif" font-size="13" fill="none" stroke="currentColor">
<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">
<path d="M0 0 8 4 0 8z" fill="currentColor" stroke="none"/></marker></defs>"""


def draw(states: list[str], edges: list[tuple[str, str, str]]) -> str:
    """Return the picture of ``edges``, each from a state by a signal to a state."""
    together: dict[tuple[int, int], list[str]] = {}
    for start, signal, end in edges:
        together.setdefault((states.index(start), states.index(end)), []).append(signal)
    parts = [_HEAD.format(height=len(states) * (_HEIGHT + _GAP) - _GAP + 20)]
    for index, name in enumerate(states):
        y = _top(index)
        left = _MIDDLE - _WIDTH // 2
        parts.append(f'<rect x="{left}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="8"/>')
        parts.append(_text(_MIDDLE, y + _HEIGHT // 2 + 5, "middle", name))
    arrows = [_arrow(start, end, ", ".join(signals)) for (start, end), signals in together.items()]
    # Labels come last: they stand on the lines that they cross.
    parts += [path for path, _ in arrows] + [label for _, label in arrows]
    return "\n".join((*parts, "</svg>"))


def _top(index: int) -> int:
    return 10 + index * (_HEIGHT + _GAP)


def _text(x: int, y: int, anchor: str, text: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" style="{_HALO}">{escape(text)}</text>'


def _arrow(start: int, end: int, label: str) -> tuple[str, str]:
    """Return the line and its label."""
    if end == start + 1:
        y1, y2 = _top(start) + _HEIGHT, _top(end)
        return _path(f"M{_MIDDLE} {y1} V{y2}"), _text(_MIDDLE + 8, (y1 + y2) // 2 + 5, "start", label)
    side = 1 if end > start else -1
    edge = _MIDDLE + side * _WIDTH // 2
    # Each kind of arrow has its own height at a state, so that they do not meet.
    if start == end:
        y1, y2 = _top(start) + 4, _top(start) + 16
    elif side > 0:
        y1, y2 = _top(start) + 12, _top(end) + 24
    else:
        y1, y2 = _top(start) + 12, _top(end) + 28
    reach = edge + side * (34 + _STEP * max(0, abs(end - start) - 1))
    # The curve's own furthest point lies at three quarters of its control points' way.
    furthest = edge + (reach - edge) * 3 // 4
    label_at = _text(furthest + 5 * side, (y1 + y2) // 2 + 4, "start" if side > 0 else "end", label)
    return _path(f"M{edge} {y1} C{reach} {y1} {reach} {y2} {edge} {y2}"), label_at


def _path(line: str) -> str:
    return f'<path d="{line}" marker-end="url(#arrow)"/>'
