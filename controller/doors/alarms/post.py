"""Gives a letter to a relay (SMTP) or to a webhook (HTTP POST, JSON).

`mail` and `webhook` wait for the receiver: at most TIMEOUT_S without a byte, and EXCHANGE_S in all.
A letter counts as sent only after the answer that it is accepted. Otherwise they raise DoorError:
one line without a secret. A relay may accept a letter for some of its addresses and refuse others:
`mail` returns the refused addresses.
"""

import contextlib
import email.message
import email.utils
import http.client
import json
import smtplib
import socket
import ssl
import urllib.parse

from controller.doors.alarms.letter import Letter
from controller.doors.process import Values
from controller.mqtt.failures import tls_text
from controller.system import clock, deadline
from controller.system.told import DoorError

TIMEOUT_S = 20.0
EXCHANGE_S = 60.0  # a receiver that slowly sends single bytes never exceeds TIMEOUT_S
PERMANENT = 500  # an SMTP answer of 500 or more means that another try is useless


def mail(values: Values, secret: str, letter: Letter) -> dict[str, int]:
    """Send through the site's relay. Returns {refused address: the relay's answer}."""
    message = email.message.EmailMessage()
    message["Subject"] = letter.subject
    message["From"], message["To"] = values["from"], values["to"]
    message["Date"] = email.utils.formatdate(int(clock.utc_us()) / 1e6, usegmt=True)
    message["Message-ID"] = f"<{letter.identity}@firebreak>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    refused: dict[str, tuple[int, bytes]] = {}
    try:
        context = ssl.create_default_context(cafile=values["ca_file"])
        with deadline.cutting(EXCHANGE_S) as connect:
            # Answer 421 to one address ends the connection, so the other addresses need a new one.
            while to := [
                *dict.fromkeys(address for address in values["to"] if address not in refused)
            ]:
                with contextlib.closing(_Relay(values, connect, context)) as relay:
                    if values["tls"] == "starttls":
                        relay.starttls(context=context)
                    if values["user"] is not None:
                        relay.login(values["user"], secret)
                    try:
                        refused |= relay.send_message(message, to_addrs=to)
                    except smtplib.SMTPRecipientsRefused as error:
                        refused |= error.recipients
                        continue
                    # The letter is accepted, so the answer to QUIT is not awaited. If that answer
                    # failed, the letter would count as lost and be sent again and again.
                    with contextlib.suppress(smtplib.SMTPException):
                        relay.putcmd("quit")
                    break
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise DoorError(f"relay {values['server']}: {_failure(error)}") from None
    return {address: code for address, (code, _) in refused.items()}


class _Relay(smtplib.SMTP):
    """An SMTP connection with a socket from `connect`, which bounds the time of the exchange."""

    def __init__(self, values: Values, connect: deadline.Connect, context: ssl.SSLContext):
        self._connect, self._context = connect, context if values["tls"] == "tls" else None
        host, _, port = values["server"].rpartition(":")
        super().__init__(host, int(port), timeout=TIMEOUT_S)

    def _get_socket(self, host: str, port: int, timeout_s: float) -> socket.socket:
        link = self._connect((host, port), timeout_s)
        return self._context.wrap_socket(link, server_hostname=host) if self._context else link


def webhook(values: Values, secret: str, letter: Letter) -> dict[str, int]:
    """POST {cabinet, alarms, text} with an Idempotency-Key. 2xx means accepted. Returns {}."""
    parts = urllib.parse.urlsplit(values["url"])
    headers = {"Content-Type": "application/json", "Idempotency-Key": letter.identity}
    if secret:
        headers["Authorization"] = f"Bearer {secret}"
    body = json.dumps({**letter.content, "text": letter.text}).encode()
    path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    try:
        link = deadline.connection(parts, TIMEOUT_S, values["ca_file"])
        with deadline.cut_after(link, EXCHANGE_S):
            link.request("POST", path, body, headers)
            answer = link.getresponse()
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise DoorError(f"webhook {parts.netloc}: {_failure(error)}") from None
    if not 200 <= answer.status < 300:
        raise DoorError(f"webhook {parts.netloc}: answers {answer.status}, not 2xx")
    return {}


def _failure(error: Exception) -> str:
    """A text about an error. The text of a library or of the receiver could contain a secret."""
    if isinstance(error, smtplib.SMTPAuthenticationError) and error.smtp_code >= PERMANENT:
        return "refuses user or password"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "does not offer what the table asks for (starttls, or a log-in)"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"answers {error.smtp_code}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return tls_text(error)
    if isinstance(error, ssl.SSLError):
        return 'TLS failed; is this its port for TLS (tls = "tls"), or for starttls'
    if isinstance(error, TimeoutError):
        return f"silent for {TIMEOUT_S:.0f} s, or no whole answer within {EXCHANGE_S:.0f} s"
    if isinstance(error, ValueError):
        return "its name is no name of a host"
    name = getattr(error, "filename", None)
    reason = getattr(error, "strerror", None) or "the connection ended early"
    return f"{name}: {reason}" if name else reason
