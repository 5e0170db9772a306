"""``netclients mail``: mailboxes, messages in them, and what hangs on those."""
