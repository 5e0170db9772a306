"""SASL (RFC 4422) for all five protocols: who logs in how. No I/O: what the server says goes in, the answer comes out.

:func:`choose` picks the strongest mechanism that the server offers and the credentials can do, and returns an
:class:`Exchange`. The caller announces ``exchange.name``, sends ``exchange.initial`` if there is one, hands each
challenge to :meth:`Exchange.respond`, and calls :meth:`Exchange.conclude` once the server says that all is well.
:func:`encode` and :func:`decode` are the base64 of the lines in which IMAP, POP3, SMTP and NNTP carry all this.
"""

from __future__ import annotations

from netclients.wire.sasl.choice import MECHANISMS, choose
from netclients.wire.sasl.exchange import ChannelBinding, Exchange, Token, decode, encode

__all__ = ["MECHANISMS", "ChannelBinding", "Exchange", "Token", "choose", "decode", "encode"]
