"""Typed, asyncio-first clients for FTP, SMTP, IMAP, POP3 and NNTP."""
