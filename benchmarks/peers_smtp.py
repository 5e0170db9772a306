"""What the others are asked to do with mail: the same work. Each runs in a process of its own (see worker.py)."""

from __future__ import annotations

import asyncio
import email
import email.policy
import smtplib
import time
from email.message import EmailMessage
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

from benchmarks.messages import RECIPIENT, SENDER, messages

# Sending: the clock starts when the connection has carried one message


def smtplib_sendmail(host: str, port: int, count: int) -> dict[str, float]:
    with smtplib.SMTP(host, port, local_hostname="localhost") as smtp:
        smtp.sendmail(SENDER, [RECIPIENT], next(messages(1)))
        started = time.perf_counter()
        for message in messages(count, 1):
            smtp.sendmail(SENDER, [RECIPIENT], message)
        return {"seconds": time.perf_counter() - started, "done": count}


def aiosmtplib_sendmail(host: str, port: int, count: int) -> dict[str, float]:
    import aiosmtplib

    async def job() -> dict[str, float]:
        async with aiosmtplib.SMTP(hostname=host, port=port, start_tls=False, local_hostname="localhost") as smtp:
            await smtp.sendmail(SENDER, [RECIPIENT], next(messages(1)))
            started = time.perf_counter()
            for message in messages(count, 1):
                await smtp.sendmail(SENDER, [RECIPIENT], message)
            return {"seconds": time.perf_counter() - started, "done": count}

    return asyncio.run(job())


def aiosmtplib_send_message(host: str, port: int, count: int) -> dict[str, float]:
    """``send_message`` of objects of the ``email`` package, which were made before the clock starts."""
    import aiosmtplib

    made = [email.message_from_bytes(message, policy=email.policy.SMTP) for message in messages(count + 1)]

    async def job() -> dict[str, float]:
        async with aiosmtplib.SMTP(hostname=host, port=port, start_tls=False, local_hostname="localhost") as smtp:
            await smtp.send_message(made.pop())
            started = time.perf_counter()
            for message in made:
                await smtp.send_message(message)
            return {"seconds": time.perf_counter() - started, "done": count}

    return asyncio.run(job())


# Composing


def email_message(size: int, times: int) -> dict[str, float]:
    """``EmailMessage``, as its documentation shows it."""
    content = bytes(range(256)) * (size // 256)
    started = time.perf_counter()
    done = 0
    for _ in range(times):
        message = EmailMessage(policy=email.policy.SMTP)
        message["From"], message["To"], message["Subject"] = SENDER, RECIPIENT, "Report"
        message.set_content("Here it is.\n")
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename="report.bin")
        done += len(message.as_bytes())
    return {"seconds": (time.perf_counter() - started) / times, "done": done}


def mime_multipart(size: int, times: int) -> dict[str, float]:
    """``MIMEMultipart``, the older way."""
    content = bytes(range(256)) * (size // 256)
    started = time.perf_counter()
    done = 0
    for _ in range(times):
        message = MIMEMultipart()
        message["From"], message["To"], message["Subject"] = SENDER, RECIPIENT, "Report"
        message.attach(MIMEText("Here it is.\n"))
        part = MIMEApplication(content)
        part.add_header("Content-Disposition", "attachment", filename="report.bin")
        message.attach(part)
        done += len(message.as_bytes(policy=email.policy.SMTP))
    return {"seconds": (time.perf_counter() - started) / times, "done": done}
