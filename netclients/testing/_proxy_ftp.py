"""Makes the replies to PASV and EPSV point to the proxy instead of the server."""

from __future__ import annotations

import re
from collections.abc import Callable

_PASV = re.compile(rb"(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3})")
_EPSV = re.compile(rb"\((.)\1\1(\d{1,5})\1\)")


class ReplyRewriter:
    """Rewrites a stream of replies; stops for good when TLS begins.

    `publish` gets the address of the server's data port and returns that of the proxy's.
    """

    def __init__(self, server_host: str, publish: Callable[[str, int], tuple[str, int]]) -> None:
        self._server_host = server_host
        self._publish = publish
        self._line = b""
        self._done = False

    def feed(self, data: bytes) -> bytes:
        """Take what came, and return what to forward."""
        if self._done:
            return data
        out = b""
        self._line += data
        while (end := self._line.find(b"\n")) >= 0 and not self._starts_tls():
            out += self._rewrite(self._line[: end + 1])
            self._line = self._line[end + 1 :]
        # Only the beginning of a reply that may have to be rewritten is kept back.
        if self._starts_tls() or not (self._line.startswith(b"22") or b"22".startswith(self._line)):
            self._done = self._starts_tls()
            out, self._line = out + self._line, b""
        return out

    def _starts_tls(self) -> bool:
        return self._line[:1] in (b"\x14", b"\x15", b"\x16", b"\x17")

    def _rewrite(self, line: bytes) -> bytes:
        if line.startswith(b"227") and (found := _PASV.search(line)):
            *address, high, low = (int(part) for part in found.groups())
            host, port = self._publish(".".join(map(str, address)), high * 256 + low)
            numbers = f"{host.replace('.', ',')},{port >> 8},{port & 255}"
            return line[: found.start()] + numbers.encode() + line[found.end() :]
        if line.startswith(b"229") and (found := _EPSV.search(line)):
            _, port = self._publish(self._server_host, int(found[2]))
            bar = found[1]
            return line[: found.start()] + b"(%b%b%b%d%b)" % (bar, bar, bar, port, bar) + line[found.end() :]
        return line
