"""Mailboxes of the embedded IMAP server: names, LIST and its relatives, STATUS, quotas, APPEND, COPY, MOVE."""

from __future__ import annotations

import datetime as dt

import pytest

from netclients.testing import IMAPServer
from tests.testing.imap_peer import Peer, peer, serving

RAW = b"Subject: x\r\n\r\nbody\r\n"


def listed(client: Peer, command: str) -> list[str]:
    return [line.decode()[2:].replace(' "/" ', " ") for line in client.untagged(command)]


def test_lists() -> None:
    with serving() as (server, client):
        server.create_mailbox("me", "Sent", special_use="\\Sent")
        server.create_mailbox("me", "a/b/c")
        client.ok("SUBSCRIBE a/b/c")
        client.ok("UNSUBSCRIBE INBOX")
        server.delete_mailbox("me", "a")
        assert listed(client, 'LIST "" *') == [
            *("LIST (\\HasNoChildren) INBOX", "LIST (\\HasNoChildren \\Sent) Sent"),
            *("LIST (\\Noselect \\HasChildren) a", "LIST (\\HasChildren) a/b", "LIST (\\HasNoChildren) a/b/c"),
        ]
        assert listed(client, 'LIST "" ""') == ['LIST (\\Noselect) ""']
        assert listed(client, 'LIST "" inbox') == ["LIST (\\HasNoChildren) INBOX"]
        assert listed(client, 'LIST "a/" %') == ["LIST (\\HasChildren) a/b"]
        assert listed(client, 'LIST "" ("a/%" "S*") RETURN (CHILDREN)') == [
            "LIST (\\HasNoChildren \\Sent) Sent",
            "LIST (\\HasChildren) a/b",
        ]
        assert listed(client, 'LIST (SPECIAL-USE) "" *') == ["LIST (\\HasNoChildren \\Sent) Sent"]
        assert listed(client, 'LIST (SUBSCRIBED) "" *') == ["LIST (\\HasNoChildren \\Subscribed) a/b/c"]
        assert listed(client, 'LIST (SUBSCRIBED RECURSIVEMATCH) "" %') == [
            'LIST (\\NonExistent \\HasChildren) a ("CHILDINFO" ("SUBSCRIBED"))'
        ]
        assert listed(client, 'LIST "" S% RETURN (STATUS (MESSAGES UNSEEN) SUBSCRIBED)') == [
            "LIST (\\HasNoChildren \\Sent) Sent",
            "STATUS Sent (MESSAGES 0 UNSEEN 0)",
        ]
        assert listed(client, 'LSUB "" *') == ["LSUB () a/b/c"]
        assert listed(client, 'LSUB "" %') == ["LSUB (\\Noselect) a"]
        server.delete_mailbox("me", "a/b/c")
        assert listed(client, 'LIST (SUBSCRIBED) "" *') == ["LIST (\\NonExistent \\HasNoChildren \\Subscribed) a/b/c"]
        for mistake in ('(RECURSIVEMATCH) "" %', '(BOGUS) "" %', '"" % RETURN (BOGUS)', '"" % RETURN (STATUS (X))'):
            assert client.status(f"LIST {mistake}") == b"BAD"
        server.set_without({"LIST-EXTENDED", "CHILDREN", "SPECIAL-USE"})
        assert listed(client, 'LIST "" S*') == ["LIST () Sent"]
        assert client.status('LIST "" % RETURN (CHILDREN)') == b"BAD"


def test_names() -> None:
    with serving() as (server, client):
        server.create_mailbox("me", "Entwürfe & mehr/日本")
        assert listed(client, 'LIST "" Ent*')[1] == 'LIST (\\HasNoChildren) "Entw&APw-rfe &- mehr/&ZeVnLA-"'
        assert client.ok('SELECT "Entw&APw-rfe &- mehr/&ZeVnLA-"')
        assert client.status("SELECT &bad") == b"NO [NONEXISTENT]"
        assert client.status("SELECT &AP!-") == b"BAD"
        assert client.status("SELECT Entw\xfcrfe".encode()) == b"BAD"
        client.ok('CREATE {3+}\r\n*\\"')
        assert server.mailbox_names("me")[0] == '*\\"'
        assert listed(client, 'LIST "" "\\\\*"') == []
        client.ok("ENABLE UTF8=ACCEPT")
        assert listed(client, 'LIST "" Ent*')[1] == 'LIST (\\HasNoChildren) "Entwürfe & mehr/日本"'
        client.ok('SELECT "Entwürfe & mehr/日本"')
        client.ok("CREATE &AP!-")


def test_create_delete_rename() -> None:
    with serving(RAW) as (server, client):
        assert client.status("CREATE a/b/") == b"OK [MAILBOXID (F3)]"
        assert client.status("CREATE a/b") == b"NO [ALREADYEXISTS]"
        assert client.status("CREATE Drafts (USE (\\Drafts))").startswith(b"OK")
        for wrong in ("inbox", "a//b", "/a", '""'):
            assert client.status(f"CREATE {wrong}")[:2] == b"NO"
        assert client.append("a/b", RAW).startswith(b"OK [APPENDUID")
        assert client.status("RENAME a c") == b"OK"
        assert server.mailbox_names("me") == ["Drafts", "INBOX", "c", "c/b"]
        assert len(server.messages("me", "c/b")) == 1
        assert client.status("RENAME c/b Drafts") == b"NO [ALREADYEXISTS]"
        assert client.status("RENAME nope x") == b"NO [NONEXISTENT]"
        assert client.status("RENAME INBOX old/mail") == b"OK"
        assert (len(server.messages("me")), len(server.messages("me", "old/mail"))) == (0, 1)
        assert client.status("DELETE INBOX") == b"NO [CANNOT]"
        assert client.status("DELETE nope") == b"NO [NONEXISTENT]"
        client.ok("SELECT Drafts")
        assert client.status("DELETE Drafts") == b"OK"
        assert client.status("FETCH 1 FLAGS") == b"BAD"
        with pytest.raises(KeyError):
            server.messages("me", "Drafts")
        with pytest.raises(KeyError):
            server.set_flags("me", "INBOX", 99, [])


def test_status() -> None:
    with serving(without={"QUOTA"}) as (server, client):
        server.add("me", "INBOX", RAW, flags=["\\Seen"])
        server.add("me", "INBOX", RAW, flags=["\\Deleted"])
        items = "MESSAGES RECENT UIDNEXT UNSEEN SIZE HIGHESTMODSEQ MAILBOXID"
        assert client.untagged(f"STATUS inbox ({items})")[0] == (
            b"* STATUS INBOX (MESSAGES 2 RECENT 2 UIDNEXT 3 UNSEEN 1 SIZE 40 HIGHESTMODSEQ 3 MAILBOXID (F1))"
        )
        assert client.status("STATUS INBOX (DELETED)") == b"BAD"
        assert client.status("STATUS nope (MESSAGES)") == b"NO [NONEXISTENT]"
        server.set_without(())
        assert client.untagged("STATUS INBOX (DELETED DELETED-STORAGE)") == [
            b"* STATUS INBOX (DELETED 1 DELETED-STORAGE 20)"
        ]
        assert client.untagged("NAMESPACE") == [b'* NAMESPACE (("" "/")) NIL NIL']


def test_quota_and_limit() -> None:
    with serving(RAW, quota=2048, append_limit=1500) as (_, client):
        assert b"APPENDLIMIT=1500" in client.untagged("CAPABILITY")[0]
        assert client.untagged("GETQUOTAROOT INBOX") == [b'* QUOTAROOT INBOX ""', b'* QUOTA "" (STORAGE 1 2)']
        assert client.untagged('GETQUOTA ""') == [b'* QUOTA "" (STORAGE 1 2)']
        assert client.status("GETQUOTA other") == b"NO"
        assert client.status('SETQUOTA "" (STORAGE 9)') == b"NO [NOPERM]"
        assert client.append("INBOX", b"x" * 1501) == b"NO [TOOBIG]"
        assert client.status("APPEND INBOX {1501}") == b"NO [TOOBIG]"  # not even invited
        assert client.append("INBOX", b"x" * 1500).startswith(b"OK")
        assert client.append("INBOX", b"x" * 1500) == b"NO [OVERQUOTA]"
        assert client.status("COPY 2 INBOX") == b"NO [OVERQUOTA]"


def test_append() -> None:
    with serving() as (server, client):
        validity = server.uid_validity("me")
        assert client.append("inbox", RAW, '(\\seen Own) "05-Mar-2019 10:00:00 +0200" ') == (
            b"OK [APPENDUID %d 1]" % validity
        )
        (message,) = server.messages("me")
        assert message.raw == RAW
        assert message.flags == {"\\Seen", "Own"}
        assert message.date == dt.datetime(2019, 3, 5, 8, tzinfo=dt.UTC)
        assert client.append("nope", RAW) == b"NO [TRYCREATE]"
        assert client.status("APPEND nope {20}") == b"NO [TRYCREATE]"
        assert client.status("APPEND INBOX (\\Seen) {1+}\r\n1 (\\Draft) ~{2+}\r\n\0\0 {1+}\r\n3") == (
            b"OK [APPENDUID %d 2:4]" % validity
        )
        assert [message.raw for message in server.messages("me")[1:]] == [b"1", b"\0\0", b"3"]
        client.send(b"A APPEND {5}\r\n")
        assert client.line() == b"+ OK"
        client.send(b"INBOX {4}\r\n")
        assert client.line() == b"+ OK"
        client.send(b"a\r\nb\r\n")
        assert client.until("A")[-1] == b"A OK [APPENDUID %d 5] Append completed." % validity
        for mistake in (b"INBOX", b"INBOX x", b"INBOX (\\Recent) {1+}\r\nx", b'INBOX "1-Foo-2019" {1+}\r\nx'):
            assert client.status(b"APPEND " + mistake) == b"BAD"
        client.ok("ENABLE UTF8=ACCEPT")
        assert client.status(b"APPEND INBOX UTF8 (~{2+}\r\n\xc3\xa9)").startswith(b"OK")
        assert server.messages("me")[-1].raw == "é".encode()
        server.set_without({"MULTIAPPEND"})
        assert client.status("APPEND INBOX {1+}\r\n1 {1+}\r\n2") == b"BAD"


def test_copy_and_move() -> None:
    with serving(*[RAW] * 5) as (server, client):
        server.create_mailbox("me", "other")
        validity = server.uid_validity("me", "other")
        client.ok("STORE 1 +FLAGS ($Own)")
        assert client.status("COPY 1,3:4 other") == b"OK [COPYUID %d 1,3:4 1:3]" % validity
        assert server.messages("me", "other")[0].flags == {"$Own"}
        assert client.status("UID COPY 99 other") == b"OK"
        assert client.status("COPY 99 other") == b"BAD"
        assert client.status("COPY 1 nope") == b"NO [TRYCREATE]"
        assert client.untagged("MOVE 1:2 other") == [
            b"* OK [COPYUID %d 1:2 4:5] Moved." % validity,
            *[b"* 1 EXPUNGE"] * 2,
        ]
        assert client.untagged("UID MOVE 3,5 other")[1:] == [b"* 1 EXPUNGE", b"* 2 EXPUNGE"]
        assert [message.uid for message in server.messages("me")] == [4]
        client.ok("EXAMINE INBOX")
        for command in ("MOVE 1 other", "STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "UID EXPUNGE 4"):
            assert client.status(command) == b"NO", command


def test_expunge_and_close() -> None:
    with serving(*[RAW] * 6) as (server, client):
        client.ok("STORE 1,3,5,6 +FLAGS.SILENT (\\Deleted)")
        assert client.untagged("UID EXPUNGE 3:5") == [b"* 3 EXPUNGE", b"* 4 EXPUNGE"]
        assert client.untagged("UNSELECT") == []
        client.ok("EXAMINE INBOX")
        assert client.untagged("CLOSE") == []
        assert [message.uid for message in server.messages("me")] == [1, 2, 4, 6]
        client.ok("SELECT INBOX")
        assert client.untagged("CLOSE") == []
        assert [message.uid for message in server.messages("me")] == [2, 4]
        assert client.status("FETCH 1 FLAGS") == b"BAD"


def test_select_tells_what_there_is() -> None:
    with IMAPServer() as server:
        server.add("me", "INBOX", RAW, flags=["\\Seen", "Own"])
        server.add("me", "INBOX", RAW)
        with peer(server) as client:
            assert client.ok("EXAMINE INBOX") == [
                b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft Own)",
                b"* OK [PERMANENTFLAGS ()] None are kept.",
                b"* 2 EXISTS",
                b"* 2 RECENT",
                b"* OK [UNSEEN 2] First unseen.",
                b"* OK [UIDVALIDITY %d] UIDs valid." % server.uid_validity("me"),
                b"* OK [UIDNEXT 3] Predicted next UID.",
                b"* OK [HIGHESTMODSEQ 3] Highest.",
                b"* OK [MAILBOXID (F1)] Its identity.",
                b"OK [READ-ONLY] Selected.",
            ]
            assert client.ok("SELECT INBOX")[4] == b"* 2 RECENT"
            assert client.ok("SELECT INBOX")[4] == b"* 0 RECENT"
            assert client.say("SELECT nope") == [
                b"* OK [CLOSED] Previous mailbox closed.",
                b"NO [NONEXISTENT] Mailbox doesn't exist: nope",
            ]
            assert client.status("FETCH 1 FLAGS") == b"BAD"


def test_rev2() -> None:
    with serving(RAW, rev2=True) as (server, client):
        assert b" IMAP4rev2 " in client.untagged("CAPABILITY")[0]
        assert client.untagged("ENABLE IMAP4rev2") == [b"* ENABLED IMAP4REV2"]
        told = client.ok("SELECT INBOX")
        assert b'* LIST () "/" INBOX' in told
        assert not any(b"RECENT" in line or b"UNSEEN" in line for line in told)
        assert client.untagged("SEARCH ALL")[0].endswith(b") ALL 1")
        server.add("me", "INBOX", RAW)
        assert client.untagged("NOOP") == [b"* 2 EXISTS"]
        assert client.untagged("FETCH 2 FLAGS") == [b"* 2 FETCH (FLAGS ())"]
