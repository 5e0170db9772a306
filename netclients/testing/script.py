r"""Dialogues between a client and a server, written as text; parsing only, no I/O.

Each line is one step, indentation and empty lines do not count::

    # what stands behind a number sign at the beginning of a line is a comment
    S: 220 ready
    C: USER bob
    S: 331 password
    C~ PASS .*
    S| 230 in two
    S:  pieces
    S-close

=============  ====================================================================================
``S: text``    the server sends the text and CRLF
``S| text``    the server sends the text, and no CRLF
``S*9: text``  nine times in a row; ``S*9| text`` likewise
``S*: text``   for ever, until the client leaves; ``S*| text`` likewise
``C: text``    the client must send exactly this and CRLF
``C| text``    the client must send exactly this, and no CRLF
``C~ regex``   the client must send one line that matches the whole regular expression
``S-close``    the server ends the connection
``S-reset``    the server resets the connection
``S-tls``      both make the TLS handshake
``C-close``    the client must end the connection
=============  ====================================================================================

One space behind the mark belongs to it. In texts ``\xNN``, ``\r``, ``\n``, ``\t`` and ``\\`` are escapes;
other characters are sent in UTF-8.
"""

from __future__ import annotations

import re

from netclients.transport.steps import Close, Expect, ExpectClose, Generate, Match, Reset, Say, StartTLS

__all__ = [
    "Close",
    "Expect",
    "ExpectClose",
    "Generate",
    "Match",
    "Reset",
    "Say",
    "ScriptError",
    "StartTLS",
    "Step",
    "parse_script",
]

_LINE = re.compile(r"(?P<who>[SC])(?:\*(?P<repeat>\d*))?(?P<mark>[:|~-])(?: (?P<text>.*)|(?P<word>\w*))", re.DOTALL)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|[rnt\\]|.|$)")
_ESCAPES = {"r": b"\r", "n": b"\n", "t": b"\t", "\\": b"\\"}


class ScriptError(ValueError):
    """A script has a line that is no step."""


Step = Expect | Match | Say | Generate | Close | Reset | StartTLS | ExpectClose

_WORDS: dict[str, Step] = {
    "S-close": Close(),
    "S-reset": Reset(),
    "S-tls": StartTLS(),
    "C-close": ExpectClose(),
}


def parse_script(text: str) -> list[Step]:
    """Return the steps of a script. Raises ScriptError, which names the line."""
    steps: list[Step] = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.lstrip()
        if line and not line.startswith("#"):
            try:
                steps.append(_parse_line(line))
            except ValueError as error:
                raise ScriptError(f"line {number}, {line!r}: {error}") from None
    return steps


def _parse_line(line: str) -> Step:
    if line.rstrip() in _WORDS:
        return _WORDS[line.rstrip()]
    found = _LINE.fullmatch(line)
    if found is None or found["word"]:
        raise ValueError("expected a mark such as 'S: ' or 'C: ', or one of " + ", ".join(_WORDS))
    who, mark, repeat, text = found["who"], found["mark"], found["repeat"], found["text"] or ""
    if who == "C" and repeat is not None:
        raise ValueError("only the server can repeat")
    if mark == "~" and who == "C":
        return Match(_pattern(text))
    if mark not in ":|":
        raise ValueError(f"no such mark: {who}{mark}")
    data = _unescape(text) + (b"\r\n" if mark == ":" else b"")
    if who == "C":
        return Expect(data)
    return Say(data, 1 if repeat is None else int(repeat) if repeat else None)


def _pattern(text: str) -> re.Pattern[bytes]:
    try:
        return re.compile(text.encode())
    except re.error as error:
        raise ValueError(str(error)) from None


def _unescape(text: str) -> bytes:
    data = b""
    end = 0
    for found in _ESCAPE.finditer(text):
        data += text[end : found.start()].encode()
        end = found.end()
        code = found[1]
        if len(code) == 3:
            data += bytes.fromhex(code[1:])
        elif code in _ESCAPES:
            data += _ESCAPES[code]
        else:
            raise ValueError(f"unknown escape {found[0]}")
    return data + text[end:].encode()
