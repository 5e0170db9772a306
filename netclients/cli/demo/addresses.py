"""Whom the demo's mail server knows: it meets some addresses with a fault of their own."""

from __future__ import annotations

__all__ = ["ACCENTED", "AFTER", "AMID", "BEFORE", "DOMAIN", "GONE", "SHY"]

DOMAIN = "demo.test"

# Recipients
GONE = "gone"
"""Whose addresses begin so are refused for good."""
SHY = f"shy@{DOMAIN}"
"""Is put off the first time that somebody writes to it."""
ACCENTED = f"zoë@{DOMAIN}"
"""Needs SMTPUTF8."""

# Senders, by how their addresses begin
AMID = "amid"
"""The connection is cut amid the content: the message has to be sent again."""
BEFORE = "before"
"""The connection is cut when all of the content is there, before it is accepted: nobody can know from outside."""
AFTER = "after"
"""The connection is cut when the content has been accepted, and the reply is lost: nobody can know either."""
