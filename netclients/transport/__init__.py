"""The only code that sees sockets, TLS and event loops."""
