"""The example of the page about FastAPI: ``fastapi_mail.py``, with a client that calls it as a server would."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from netclients.testing import SMTPServer
from netclients.testing.smtp_faults import Delay, Hangup
from tests.test_docs_examples import load

pytestmark = pytest.mark.asyncio

ORDER = {"email": "ada@example.org", "article": "a lamp"}


@pytest.fixture
def server() -> Iterator[SMTPServer]:
    with SMTPServer(refuse={"nobody@example.org": "550 5.1.1 No such user."}) as server:
        yield server


@pytest.fixture
def example(server: SMTPServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SMTP_URL", server.url)
    return load("fastapi_mail")


@asynccontextmanager
async def visitor(app: Any, outer: Any = None) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=outer or app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://shop") as client,
    ):
        yield client


async def test_the_mail_goes_out_after_the_response(example: Any, server: SMTPServer) -> None:
    server.set_faults([Delay("CONTENT", seconds=0.2)])
    sent_by_then = []

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        async def watch(event: dict[str, Any]) -> None:
            await send(event)
            if event["type"] == "http.response.body" and not event.get("more_body"):
                sent_by_then.append(len(server.messages))

        await example.app(scope, receive, watch)

    async with visitor(example.app, watched) as client:
        response = await client.post("/orders", json=ORDER)
    assert response.status_code == 202
    assert sent_by_then == [0]
    [message] = server.messages
    assert message.recipients == ("ada@example.org",)
    assert response.json()["message_id"].encode() in message.content


async def test_requests_share_a_connection(example: Any, server: SMTPServer) -> None:
    async with visitor(example.app) as client:
        for _ in range(5):
            assert (await client.post("/orders", json=ORDER)).status_code == 202
    assert (server.stats.messages, server.stats.connections) == (5, 1)
    assert server.stats.connections_open == 0


async def test_what_is_no_address_is_told(example: Any, server: SMTPServer) -> None:
    async with visitor(example.app) as client:
        for email in ("nonsense", "a@b\r\nBcc: c@d", ""):
            response = await client.post("/orders", json=ORDER | {"email": email})
            assert response.status_code == 422
    assert server.messages == []


@pytest.mark.parametrize("lost", [False, True])
async def test_failures_are_logged(
    example: Any, server: SMTPServer, lost: bool, caplog: pytest.LogCaptureFixture
) -> None:
    if lost:
        server.set_faults([Hangup("CONTENT", executed=True)])
    async with visitor(example.app) as client:
        with caplog.at_level(logging.INFO, "shop.mail"):
            email = "ada@example.org" if lost else "nobody@example.org"
            response = await client.post("/orders", json=ORDER | {"email": email})
    assert response.status_code == 202
    [record] = [record for record in caplog.records if record.name == "shop.mail"]
    assert ("may have arrived" if lost else "was not sent") in record.getMessage()
