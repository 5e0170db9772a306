"""Throw-away certificates for servers on loopback, all signed by one authority of this process.

The authority is made on first use and kept, because making keys is the slow part. Nothing is installed
anywhere: only contexts from :func:`client_context` (or a file written from :func:`ca_pem`) trust it.
"""

from __future__ import annotations

import functools
import ssl
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import trustme

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "127.0.0.2", "::1")


# A cache alone would let two threads, server and test, make an authority each.
_making = threading.RLock()


def _authority() -> trustme.CA:
    with _making:
        return _make_authority()


@functools.cache
def _make_authority() -> trustme.CA:
    try:
        import trustme
    except ImportError as error:  # pragma: no cover - needs an installation without the extra
        raise ImportError("TLS test servers need trustme: install netclients[testing]") from error
    return trustme.CA(organization_name="netclients.testing")


def _leaf(names: tuple[str, ...]) -> trustme.LeafCert:
    with _making:
        return _make_leaf(names)


@functools.cache
def _make_leaf(names: tuple[str, ...]) -> trustme.LeafCert:
    return _authority().issue_cert(*names)


def ca_pem() -> bytes:
    """Return the certificate of the authority, in PEM."""
    return _authority().cert_pem.bytes()


def server_context(*names: str) -> ssl.SSLContext:
    """Return a new server-side context with a certificate for `names` (host names or addresses).

    Without names it is valid for ``localhost``, ``127.0.0.1``, ``127.0.0.2`` and ``::1``. A name the
    client does not connect to makes a certificate that fails its host name check.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _leaf(names or LOOPBACK_NAMES).configure_cert(context)
    return context


def server_pem() -> str:
    """Return the certificate of a :func:`server_context` without names, in PEM."""
    pem: bytes = _leaf(LOOPBACK_NAMES).cert_chain_pems[0].bytes()
    return pem.decode("ascii")


def client_context() -> ssl.SSLContext:
    """Return a new client-side context that trusts this authority only and checks host names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _authority().configure_trust(context)
    return context
