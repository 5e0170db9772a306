"""A web application that answers first, and sends its mail afterwards.

SMTP_URL=smtp://user:password@mail.example.org fastapi run fastapi_mail.py
"""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from pydantic import BaseModel

from netclients import ConfigurationError, MailSender, Message, NetClientError, OutcomeUnknown, compose

logger = logging.getLogger("shop.mail")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    # One client for the whole application: requests share its connections.
    async with MailSender(os.environ["SMTP_URL"]) as sender:
        app.state.sender = sender
        yield


app = FastAPI(lifespan=lifespan)


def get_sender(request: Request) -> MailSender:
    return request.app.state.sender


class Order(BaseModel):
    email: str
    article: str


@app.post("/orders", status_code=202)
async def order(
    order: Order, background: BackgroundTasks, sender: Annotated[MailSender, Depends(get_sender)]
) -> dict[str, str]:
    text = f"You ordered: {order.article}\n"
    try:
        message = compose(from_="Shop <shop@example.org>", to=[order.email], subject="Your order", text=text)
    except ConfigurationError:
        raise HTTPException(422, "that is no mail address") from None
    background.add_task(deliver, sender, message)
    return {"message_id": message.message_id}


async def deliver(sender: MailSender, message: Message) -> None:
    """Send after the response. Nobody is left to tell, so whatever happens goes to the log."""
    try:
        receipt = await sender.send(message)
    except OutcomeUnknown:
        logger.exception("%s may have arrived, or not", message.message_id)
    except NetClientError:
        logger.exception("%s was not sent", message.message_id)
    else:
        logger.info("%s sent in %.1f s", message.message_id, receipt.seconds)
