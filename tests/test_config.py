"""URLs and settings: what is read, what is refused, and that nothing shows a password."""

from __future__ import annotations

import math
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.config import Bounds, Endpoint, Login, PoolLimits, Timeouts, TLSMode, parse_tls, resolve_tls
from netclients.errors import ConfigurationError

URLS = [
    ("ftp://h", Endpoint("ftp", "h", 21)),
    ("ftp://h/", Endpoint("ftp", "h", 21)),
    ("FTP://H.Example", Endpoint("ftp", "h.example", 21)),
    ("ftps://h", Endpoint("ftps", "h", 990)),
    ("ftpes://h", Endpoint("ftpes", "h", 21)),
    ("ftp://h:2121/a/b", Endpoint("ftp", "h", 2121, path="a/b")),
    ("ftp://h/%2Fa/b", Endpoint("ftp", "h", 21, path="/a/b")),
    ("ftp://h//a", Endpoint("ftp", "h", 21, path="/a")),
    ("ftp://h/a%20b%3Fc", Endpoint("ftp", "h", 21, path="a b?c")),
    ("ftp://h/%FF", Endpoint("ftp", "h", 21, path="\udcff")),
    ("ftp://h/a;type=i", Endpoint("ftp", "h", 21, path="a")),
    ("ftp://h/a;type=D", Endpoint("ftp", "h", 21, path="a")),
    ("ftp://h/a;type=x", Endpoint("ftp", "h", 21, path="a;type=x")),
    ("ftp://127.0.0.1:2121", Endpoint("ftp", "127.0.0.1", 2121)),
    ("ftp://[::1]:2121", Endpoint("ftp", "::1", 2121)),
    ("ftp://u@h", Endpoint("ftp", "h", 21, Login("u"))),
    ("ftp://u:@h", Endpoint("ftp", "h", 21, Login("u", ""))),
    ("ftp://u:p@h", Endpoint("ftp", "h", 21, Login("u", "p"))),
    ("ftp://u%40x:p%3A%2F%40@h", Endpoint("ftp", "h", 21, Login("u@x", "p:/@"))),
    ("ftp://u:p:q@h", Endpoint("ftp", "h", 21, Login("u", "p:q"))),
    ("ftp://u:%C3%A4@h", Endpoint("ftp", "h", 21, Login("u", "ä"))),
    ("ftp://@h", Endpoint("ftp", "h", 21)),
    ("ftp://h?tls=none", Endpoint("ftp", "h", 21, tls=TLSMode.NONE)),
    ("ftp://h/a?tls=starttls", Endpoint("ftp", "h", 21, path="a", tls=TLSMode.STARTTLS)),
    ("ftp://h/?tls=implicit", Endpoint("ftp", "h", 21, tls=TLSMode.IMPLICIT)),
]


@pytest.mark.parametrize(("url", "endpoint"), URLS)
def test_urls(url: str, endpoint: Endpoint) -> None:
    parsed = Endpoint.parse(url)
    assert parsed == endpoint
    assert parsed.protocol == "ftp"
    assert pickle.loads(pickle.dumps(parsed)) == parsed


OTHER_URLS = [
    ("smtp://h", Endpoint("smtp", "h", 587), "smtp"),
    ("smtp://h/", Endpoint("smtp", "h", 587), "smtp"),
    ("smtps://h", Endpoint("smtps", "h", 465), "smtp"),
    ("lmtp://h", Endpoint("lmtp", "h", 24), "lmtp"),
    ("lmtp+unix:///run/x", Endpoint("lmtp+unix", "", 0, path="/run/x"), "lmtp"),
    ("lmtp+unix:///run/x;type=a", Endpoint("lmtp+unix", "", 0, path="/run/x;type=a"), "lmtp"),
    ("smtp+unix:///run/%C3%A4", Endpoint("smtp+unix", "", 0, path="/run/ä"), "smtp"),
    ("imap://h", Endpoint("imap", "h", 143), "imap"),
    ("imaps://u:p@h/Sent%20Mail", Endpoint("imaps", "h", 993, Login("u", "p"), path="Sent Mail"), "imap"),
    ("imap://h/a/b%3Btype=a", Endpoint("imap", "h", 143, path="a/b;type=a"), "imap"),
    ("imap://h//a", Endpoint("imap", "h", 143, path="/a"), "imap"),
    ("pop3://h", Endpoint("pop3", "h", 110), "pop3"),
    ("pop3s://h/", Endpoint("pop3s", "h", 995), "pop3"),
    ("nntp://h", Endpoint("nntp", "h", 119), "nntp"),
    ("nntps://h/misc.test", Endpoint("nntps", "h", 563, path="misc.test"), "nntp"),
]


@pytest.mark.parametrize(("url", "endpoint", "protocol"), OTHER_URLS)
def test_urls_of_other_protocols(url: str, endpoint: Endpoint, protocol: str) -> None:
    parsed = Endpoint.parse(url)
    assert parsed == endpoint
    assert parsed.protocol == protocol
    assert parsed.socket_path == (endpoint.path if "+unix" in url else None)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("smtp://h/some/path", "smtp takes no path"),
        ("smtps://h/x", "smtps takes no path"),
        ("lmtp://h/run/x", "lmtp takes no path"),
        ("pop3://h/INBOX", "pop3 takes no path"),
        ("pop3s://h/;type=a", "pop3s takes no path"),
        ("imap://h/INBOX;UIDVALIDITY=1", "more than a mailbox"),
        ("imap://h/INBOX/;UID=20", "more than a mailbox"),
        ("imap://h/a%00", "control character in the path"),
        ("nntp://h/misc.test/42", "nntp takes a group and nothing behind it"),
        ("lmtp+unix:run/x", "absolute path of a socket"),
        ("lmtp+unix://h/run/x", "absolute path of a socket"),
    ],
)
def test_paths_that_name_nothing(url: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Endpoint.parse(url)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "unknown scheme ''"),
        ("h", "unknown scheme"),
        ("//h", "unknown scheme"),
        ("http://h", "unknown scheme 'http' in the URL; known: ftp, ftpes, ftps"),
        ("ftp:", "no host"),
        ("ftp://", "no host"),
        ("ftp:///path", "no host"),
        ("ftp://:21", "no host"),
        ("ftp://u:p@", "no host"),
        ("ftp://h:0", "port 0 is not between"),
        ("ftp://h:65536", "bad URL"),
        ("ftp://h:-1", "bad URL"),
        ("ftp://h:x", "bad URL"),
        ("ftp://[::1", "bad URL"),
        ("ftp://h\r\n", "control character in the URL"),
        ("ftp://h/\0", "control character in the URL"),
        ("ftp://h/%0D%0ADELE", "control character in the path"),
        ("ftp://h%0A", "control character or space in the host"),
        ("ftp://h%20x", "control character or space in the host"),
        ("ftp://u%0d:p@h", "control character in user"),
        ("ftp://u:p%0a@h", "control character in password"),
        ("ftp://:p@h", "a password but no user"),
        ("ftp://h?tls=no", "tls='no': choose implicit, starttls, none"),
        ("ftp://h?tls=", "choose"),
        ("ftp://h?TLS=none", "unknown query parameter 'TLS'"),
        ("ftp://h?x=1&tls=none", "unknown query parameter 'x'"),
    ],
)
def test_bad_urls(url: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Endpoint.parse(url)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://user:s3cr℀t@host/",
        "ftp://user:s3cret/x@host/",
        "ftp://user:s3cret#x@host/",
        "ftp://user:s3cret?x@host/",
        "ftp://user:[s3cret@host/",
        "ftp://user:s3cret@host:x",
        "ftp://user:s3cret@host:99999",
        "ftp://user:s3cret%00@host",
        "ftp://user:s3cret@",
        "ftp://user:s3cret\n@host",
        "ftx://user:s3cret@host",
    ],
)
def test_no_error_shows_a_password(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Endpoint.parse(url)
    assert "s3cr" not in str(caught.value)


@given(st.text(max_size=30))
def test_any_text_is_an_endpoint_or_a_configuration_error(text: str) -> None:
    for url in (text, "ftp://" + text, "ftp://u:p@h/" + text, "ftp://h?" + text):
        try:
            Endpoint.parse(url)
        except ConfigurationError:
            continue


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gopher", "h", 70), "unknown scheme 'gopher'"),
        (("ftp", "", 21), "no host"),
        (("ftp", "a b", 21), "space in the host"),
        (("ftp", "h", 0), "port 0"),
        (("ftp", "h", 65536), "port 65536"),
        (("ftp", "h", 21, None, "a\nb"), "control character in the path"),
        (("smtp", "h", 587, None, "a"), "smtp takes no path"),
    ],
)
def test_bad_endpoints(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Endpoint(*arguments)  # type: ignore[arg-type]


def test_logins() -> None:
    for arguments in (("",), ("u\n",), ("u", "p\r"), ("u", "p", "a\0")):
        with pytest.raises(ConfigurationError) as caught:
            Login(*arguments)
        assert "p\r" not in str(caught.value)


@pytest.mark.parametrize("arguments", [(None,), (5, "p"), ("u", b"p"), ("u", None), ("u", "p", 5)])
def test_logins_are_text(arguments: tuple[object, ...]) -> None:
    with pytest.raises(ConfigurationError, match="must be text"):
        Login(*arguments)  # type: ignore[arg-type]


def test_reprs_hide_secrets() -> None:
    endpoint = Endpoint("ftp", "h", 21, Login("bob", "s3cret", "acc0unt"))
    for shown in (repr(endpoint), str(endpoint), repr(endpoint.login)):
        assert "bob" in shown
        assert "s3cret" not in shown
        assert "acc0unt" not in shown


IMPLICIT, STARTTLS, NONE = TLSMode.IMPLICIT, TLSMode.STARTTLS, TLSMode.NONE


@pytest.mark.parametrize(
    ("url", "tls", "credentials", "mode"),
    [
        ("ftp://h", None, False, NONE),
        ("ftp://h", None, True, STARTTLS),
        ("ftp://h", "none", True, NONE),
        ("ftp://h", NONE, True, NONE),
        ("ftp://h", "starttls", False, STARTTLS),
        ("ftp://h", "implicit", False, IMPLICIT),
        ("ftp://h?tls=none", None, True, NONE),
        ("ftp://h?tls=none", "starttls", True, STARTTLS),
        ("ftp://h?tls=implicit", None, False, IMPLICIT),
        ("ftpes://h", None, False, STARTTLS),
        ("ftpes://h", None, True, STARTTLS),
        ("ftpes://h", "none", True, NONE),
        ("ftps://h", None, False, IMPLICIT),
        ("ftps://h", None, True, IMPLICIT),
        ("ftps://h?tls=starttls", None, True, STARTTLS),
        ("smtp://h", None, False, STARTTLS),
        ("smtp://127.0.0.1", None, False, NONE),
        ("smtp://127.0.0.1", None, True, STARTTLS),
        ("smtp://h", "opportunistic", False, TLSMode.OPPORTUNISTIC),
        ("lmtp+unix:///run/x", None, False, NONE),
        ("imap://h", None, False, NONE),
        ("imap://127.0.0.1", None, True, STARTTLS),
        ("imaps://h", None, False, IMPLICIT),
        ("pop3://h", None, True, STARTTLS),
        ("pop3s://h", None, True, IMPLICIT),
        ("nntp://h", None, False, NONE),
        ("nntp://h", None, True, STARTTLS),
        ("nntps://h", None, False, IMPLICIT),
    ],
)
def test_tls_table(url: str, tls: str | None, credentials: bool, mode: TLSMode) -> None:
    assert resolve_tls(Endpoint.parse(url), tls, credentials=credentials) is mode  # type: ignore[arg-type]


@pytest.mark.parametrize("scheme", ["ftp", "ftps", "smtps", "imap", "imaps", "pop3", "pop3s", "nntp", "nntps"])
def test_only_sent_mail_has_opportunistic_tls(scheme: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{scheme} has no opportunistic TLS"):
        resolve_tls(Endpoint.parse(f"{scheme}://h"), "opportunistic", credentials=False)


def test_bad_tls() -> None:
    for value in ("", "yes", "TLS", "None"):
        with pytest.raises(ConfigurationError, match="choose implicit, starttls, none"):
            parse_tls(value)


BAD_NUMBERS = [0, -1, math.nan, -math.inf, "10", True, [], b"1"]


@pytest.mark.parametrize("value", BAD_NUMBERS)
@pytest.mark.parametrize(("kind", "name"), [(Timeouts, "connect"), (Timeouts, "complete"), (PoolLimits, "max_age")])
def test_bad_numbers(kind: type, name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"{kind.__name__}.{name}=.* must be a positive number"):
        kind(**{name: value})


@pytest.mark.parametrize("value", [*BAD_NUMBERS, 0.5, 1.5, 2.0, math.inf])
@pytest.mark.parametrize(
    ("kind", "name"), [(PoolLimits, "max_connections"), (PoolLimits, "max_uses"), (Bounds, "line"), (Bounds, "literal")]
)
def test_counts_are_whole(kind: type, name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=f"{kind.__name__}.{name}=.* must be a whole number, at least 1"):
        kind(**{name: value})


def test_numbers() -> None:
    assert (Timeouts(reply=math.inf).reply, PoolLimits(max_age=0.5).max_age) == (math.inf, 0.5)


def test_none_only_where_it_means_something() -> None:
    assert Timeouts(reply=None).reply is None
    assert PoolLimits(max_uses=None, max_waiting=None).max_uses is None
    for kind, name in ((PoolLimits, "max_connections"), (PoolLimits, "idle_timeout"), (Bounds, "reply")):
        with pytest.raises(ConfigurationError):
            kind(**{name: None})


def test_defaults() -> None:
    assert Timeouts() == Timeouts(connect=10, handshake=10, reply=60, stall=60, pool=60, complete=600)
    assert (PoolLimits().max_connections, PoolLimits().idle_timeout, PoolLimits().max_age) == (8, 60, 1800)
    assert None not in [getattr(Timeouts(), name) for name in Timeouts.__slots__]
