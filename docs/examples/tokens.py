"""Log in by an OAuth access token that is refreshed in time (RFC 6749 section 6)."""

import asyncio
import json
import os
import time
from urllib.parse import urlencode
from urllib.request import urlopen

import anyio

from netclients import AuthenticationError, MailSender, OAuth, compose


class AccessToken:
    """Gives the access token that is at hand, and gets another one a minute before it ends."""

    def __init__(self, token_url: str, **request: str) -> None:
        self._url = token_url
        self._request = {"grant_type": "refresh_token", **request}
        self._token = ""
        self._renew_at = 0.0
        self._lock = anyio.Lock()

    async def __call__(self) -> str:
        async with self._lock:  # eight connections that open at once want one token
            if time.monotonic() >= self._renew_at:
                answer = await anyio.to_thread.run_sync(self._fetch)
                self._token = answer["access_token"]
                self._renew_at = time.monotonic() + answer["expires_in"] - 60
            return self._token

    def forget(self) -> None:
        self._renew_at = 0.0

    def _fetch(self) -> dict:
        with urlopen(self._url, urlencode(self._request).encode(), timeout=30) as response:
            return json.load(response)


async def main(url: str, user: str, token: AccessToken) -> None:
    message = compose(from_=user, to=["bob@example.org"], subject="Hi", text="Hello")
    async with MailSender(url, auth=OAuth(user, token=token)) as sender:
        try:
            await sender.send(message)
        except AuthenticationError:
            # Taken back before its time. Nothing was sent: logging in comes first.
            token.forget()
            await sender.send(message)


if __name__ == "__main__":
    access = AccessToken(
        os.environ["TOKEN_URL"],
        client_id=os.environ["CLIENT_ID"],
        client_secret=os.environ["CLIENT_SECRET"],
        refresh_token=os.environ["REFRESH_TOKEN"],
    )
    asyncio.run(main(os.environ["SMTP_URL"], os.environ["SMTP_USER"], access))
