"""A server that knows no pipelining and reads line by line: aiosmtpd."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from netclients import MailSender, Outgoing, RecipientsRefused

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:aiosmtpd"),
]


class Handler:
    def __init__(self) -> None:
        self.messages: list[tuple[str | None, list[str], bytes]] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        content: Any = envelope.original_content
        self.messages.append((envelope.mail_from, list(envelope.rcpt_tos), content))
        return "250 queued"


class AnyPort(Controller):
    """Listens where the system wants it."""

    def _trigger_server(self) -> None:
        assert self.server is not None
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def controller() -> Iterator[Controller]:
    controller = AnyPort(Handler(), hostname="127.0.0.1", port=0, enable_SMTPUTF8=True)
    controller.start()
    yield controller
    controller.stop()


@pytest.mark.parametrize("mode", ["off", "standard", "eager"])
async def test_aiosmtpd(controller: Controller, mode: str) -> None:
    content = "Subject: x\r\n\r\n.dots\r\nhällo\r\n".encode()
    async with MailSender(f"smtp://127.0.0.1:{controller.port}", pipelining=mode) as sender:  # type: ignore[arg-type]
        items = [Outgoing(content, "a@x", ["b@x", "nobody@x"]) for _ in range(20)]
        async with sender.send_many(items, concurrency=2) as receipts:
            async for receipt in receipts:
                assert receipt.accepted == ("b@x",)
                assert receipt.refused["nobody@x"].code == 550
        with pytest.raises(RecipientsRefused):
            await sender.send(content, "a@x", ["nobody@x"])
        assert (await sender.send(content, "ä@x", ["b@x"])).ok
    messages = controller.handler.messages
    assert len(messages) == 21
    assert {message for _, _, message in messages} == {content}
