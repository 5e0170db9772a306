"""Several sessions of the embedded IMAP server at once: who is told what and when; IDLE, CONDSTORE, QRESYNC."""

from __future__ import annotations

from netclients.testing import IMAPServer
from tests.testing.imap_peer import Peer, peer, serving

RAW = b"Subject: x\r\n\r\nbody\r\n"


def idle(client: Peer) -> None:
    client.send(b"i IDLE\r\n")
    assert client.line() == b"+ idling"


def done(client: Peer) -> list[bytes]:
    client.send(b"DONE\r\n")
    return client.until("i")[:-1]


def test_expunges_are_told_only_where_that_is_legal() -> None:
    with serving(*[RAW] * 4) as (server, client):
        server.expunge("me", "INBOX", 2, 3)
        server.add("me", "INBOX", RAW)
        news = [b"* 5 EXISTS", b"* 5 RECENT"]
        assert client.untagged("SEARCH ALL") == [b"* SEARCH 1 4", *news]
        assert client.untagged("FETCH 4:5 UID") == [b"* 4 FETCH (UID 4)", b"* 5 FETCH (UID 5)"]
        assert client.say("FETCH 1:2 UID") == [
            b"* 1 FETCH (UID 1)",
            b"NO [EXPUNGEISSUED] Some of the requested messages no longer exist.",
        ]
        assert client.status("STORE 2 +FLAGS (\\Seen)") == b"NO [EXPUNGEISSUED]"
        assert client.status("COPY 2 INBOX") == b"NO [EXPUNGEISSUED]"
        server.add("me", "INBOX", RAW)
        assert client.untagged("FETCH 1 UID")[1:] == [b"* 4 EXISTS", b"* 4 RECENT"]
        assert client.untagged("UID FETCH 3 FLAGS") == []


def test_the_refusal_of_copy_told_the_expunges() -> None:
    with serving(*[RAW] * 3) as (server, client):
        server.expunge("me", "INBOX", 2)
        assert client.untagged("UID STORE 2 +FLAGS (\\Seen)") == [b"* 2 EXPUNGE"]
        assert client.untagged("NOOP") == []


def test_a_message_that_came_and_went() -> None:
    with serving() as (server, client):
        uid = server.add("me", "INBOX", RAW)
        server.expunge("me", "INBOX", uid)
        assert client.untagged("NOOP") == []


def test_flags_are_told_to_others() -> None:
    with serving(RAW, RAW) as (server, first), peer(server) as second:
        second.ok("SELECT INBOX")
        assert first.untagged("STORE 1 +FLAGS (\\Seen)") == [b"* 1 FETCH (FLAGS (\\Seen \\Recent))"]
        assert first.untagged("STORE 2 FLAGS.SILENT (\\Seen $A)") == []
        assert first.untagged("NOOP") == []
        assert second.untagged("NOOP") == [b"* 1 FETCH (FLAGS (\\Seen))", b"* 2 FETCH (FLAGS ($A \\Seen))"]
        assert second.untagged("STORE 1:2 -FLAGS (\\Seen)")[0] == b"* 1 FETCH (FLAGS ())"
        second.ok("STORE 2 +FLAGS (\\Deleted)")
        second.ok("EXPUNGE")
        assert first.untagged("NOOP") == [b"* 2 EXPUNGE", b"* 1 FETCH (FLAGS (\\Recent))"]
        server.set_flags("me", "INBOX", 1, ["\\Flagged"])
        assert first.untagged("FETCH 1 FLAGS") == [b"* 1 FETCH (FLAGS (\\Flagged \\Recent))"]
        for mistake in ("1 BOGUS (\\Seen)", "1 FLAGS", "1 +FLAGS (\\Recent)", "9 FLAGS ()", "1 FLAGS (\\Bogus)"):
            assert first.status(f"STORE {mistake}") == b"BAD"


def test_idle() -> None:
    with serving(RAW) as (server, client):
        server.add("me", "INBOX", RAW)
        idle(client)
        assert [client.line(), client.line()] == [b"* 2 EXISTS", b"* 2 RECENT"]
        server.add("me", "INBOX", RAW)
        assert [client.line(), client.line()] == [b"* 3 EXISTS", b"* 3 RECENT"]
        server.set_flags("me", "INBOX", 1, ["\\Seen"])
        assert client.line() == b"* 1 FETCH (FLAGS (\\Seen \\Recent))"
        server.expunge("me", "INBOX", 1)
        assert client.line() == b"* 1 EXPUNGE"
        assert done(client) == []
        idle(client)
        client.send(b"x NOOP\r\n")
        assert client.until("i")[-1].startswith(b"i BAD ")
        assert server.violations == ["connection 1: sent something else than DONE to end IDLE"]
        with peer(server) as second:
            idle(second)
            assert done(second) == []


def test_uids_that_mean_nothing_any_more() -> None:
    with serving(RAW, RAW) as (server, client):
        server.expunge("me", "INBOX", 1)
        before = server.uid_validity("me")
        assert server.reset_uid_validity("me") != before
        assert [message.uid for message in server.messages("me")] == [1]
        client.send(b"a NOOP\r\n")
        assert client.rest().startswith(b"* BYE [UNAVAILABLE] ")
        with peer(server) as second:
            second.ok("SELECT INBOX")
            idle(second)
            server.reset_uid_validity("me")
            assert second.rest().startswith(b"* BYE ")
        with peer(server) as third:
            server.create_mailbox("me", "x")
            third.ok("SELECT x")
            server.delete_mailbox("me", "x")
            third.send(b"a NOOP\r\n")
            assert third.rest().startswith(b"* BYE ")


# CONDSTORE


def test_condstore() -> None:
    with serving(RAW, RAW, RAW) as (server, client):
        assert client.untagged("FETCH 1:2 (MODSEQ)") == [b"* 1 FETCH (MODSEQ (2))", b"* 2 FETCH (MODSEQ (3))"]
        server.set_flags("me", "INBOX", 1, ["\\Flagged"])
        assert client.untagged("NOOP") == [b"* 1 FETCH (FLAGS (\\Flagged \\Recent) MODSEQ (5))"]
        assert client.untagged("FETCH 1:* (UID) (CHANGEDSINCE 3)") == [
            b"* 1 FETCH (UID 1 MODSEQ (5))",
            b"* 3 FETCH (UID 3 MODSEQ (4))",
        ]
        assert client.say("STORE 1:3 (UNCHANGEDSINCE 4) +FLAGS.SILENT (\\Seen)") == [
            b"* 2 FETCH (MODSEQ (6))",
            b"* 3 FETCH (MODSEQ (7))",
            b"OK [MODIFIED 1] Conditional STORE failed.",
        ]
        assert client.status("UID STORE 1:3 (UNCHANGEDSINCE 1) FLAGS ()") == b"OK [MODIFIED 1:3]"
        assert client.untagged("SEARCH MODSEQ 6") == [b"* SEARCH 2 3 (MODSEQ 7)"]
        assert client.untagged('SEARCH MODSEQ "/flags/\\\\seen" all 100') == [b"* SEARCH"]
        assert client.untagged("SEARCH RETURN (COUNT) MODSEQ 6")[0].endswith(b" COUNT 2 MODSEQ 7")
        assert client.untagged("FETCH 1 BODY[TEXT]") == [
            b"* 1 FETCH (BODY[TEXT] {6}\r\nbody\r\n FLAGS (\\Flagged \\Seen \\Recent) MODSEQ (8))"
        ]
        for mistake in ("(VANISHED)", "(CHANGEDSINCE 1 VANISHED)", "(BOGUS 1)"):
            assert client.status(f"UID FETCH 1:* FLAGS {mistake}") == b"BAD"
        assert client.status("SELECT INBOX (QRESYNC (1 1))") == b"BAD"


def test_condstore_is_enabled_by_select() -> None:
    with IMAPServer() as server:
        server.add("me", "INBOX", RAW)
        with peer(server) as client:
            client.ok("SELECT INBOX (CONDSTORE)")
            assert client.untagged("STORE 1 FLAGS (\\Seen)") == [b"* 1 FETCH (FLAGS (\\Seen \\Recent) MODSEQ (3))"]


# QRESYNC


def test_qresync() -> None:
    with serving(*[RAW] * 6) as (server, client):
        validity = server.uid_validity("me")
        server.set_flags("me", "INBOX", 2, ["\\Seen"])
        server.expunge("me", "INBOX", 3, 4)
        server.expunge("me", "INBOX", 6)
        client.ok("NOOP")
        assert client.untagged("ENABLE QRESYNC") == [b"* ENABLED QRESYNC"]
        told = client.untagged(f"SELECT INBOX (QRESYNC ({validity} 7))")
        assert told[-2:] == [b"* VANISHED (EARLIER) 3:4,6", b"* 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (8))"]
        told = client.untagged(f"SELECT INBOX (QRESYNC ({validity} 9 1:4 (1,2 1,2)))")
        assert b"VANISHED" not in told[-1]
        told = client.untagged(f"SELECT INBOX (QRESYNC ({validity} 8 1:4))")
        assert told[-1] == b"* VANISHED (EARLIER) 3:4"
        assert b"MAILBOXID" in client.untagged("SELECT INBOX (QRESYNC (1 1))")[-1]
        assert client.untagged("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 7 VANISHED)") == [
            b"* VANISHED (EARLIER) 3:4,6",
            b"* 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (8))",
        ]
        server.expunge("me", "INBOX", 1)
        server.set_flags("me", "INBOX", 2, [])
        assert client.untagged("NOOP") == [b"* VANISHED 1", b"* 1 FETCH (UID 2 FLAGS () MODSEQ (12))"]
        client.ok("STORE 1 +FLAGS (\\Deleted)")
        assert client.say("EXPUNGE") == [b"* VANISHED 2", b"OK [HIGHESTMODSEQ 14] Expunge completed."]
        client.ok("STORE 1 +FLAGS (\\Deleted)")
        assert client.status("CLOSE") == b"OK [HIGHESTMODSEQ 16]"
