"""IMAP (RFC 3501, RFC 9051): the grammar, the state machine, the connection, and what ``MailReader`` does with them."""
