"""What all five protocols share of the wire: buffers, lines, replies, tickets, arguments. No I/O here."""
