"""Hands a letter to a relay (SMTP) or to a webhook (HTTP POST, JSON). Both block, with time limits.

Only an answer that says "taken" counts. Raises DoorError, one line without a secret. A relay may
take a letter for some of its addresses and refuse the others: `mail` returns the refused ones.
"""

import contextlib
import email.message
import email.utils
import http.client
import json
import smtplib
import ssl
import urllib.parse
from collections.abc import Iterator
from typing import Any

from controller.doors.alarms.letter import Letter
from controller.doors.mqtt.words import tls_words
from controller.doors.process import DoorError
from controller.system import clock, deadline

TIMEOUT_S = 20.0
ANSWER_BYTES_MAX = 1 << 16


def mail(values: dict[str, Any], secret: str, letter: Letter) -> dict[str, int]:
    """Send by the site's relay. {address: its answer} of those for whom it took no letter."""
    host, _, port = values["server"].rpartition(":")
    made = email.message.EmailMessage()
    made["Subject"], made["From"], made["To"] = letter.subject, values["from"], values["to"]
    made["Date"] = email.utils.formatdate(int(clock.utc_us()) / 1e6, usegmt=True)
    made["Message-ID"] = f"<{letter.identity}@firebreak>"
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(letter.text)
    try:
        with _relay(values, host, int(port)) as relay:
            if values["user"] is not None:
                relay.login(values["user"], secret)
            refused = relay.send_message(made)
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise DoorError(f"relay {values['server']}: {_words(error)}") from None
    return {address: code for address, (code, _) in refused.items()}


@contextlib.contextmanager
def _relay(values: dict[str, Any], host: str, port: int) -> Iterator[smtplib.SMTP]:
    """A connection. The relay has taken a letter once it answers DATA, whatever it answers QUIT:
    a letter counted as lost then would be sent again and again.
    """
    relay = _connected(values, host, port)
    try:
        yield relay
    finally:
        with contextlib.suppress(smtplib.SMTPException, OSError):
            relay.quit()
        relay.close()


def _connected(values: dict[str, Any], host: str, port: int) -> smtplib.SMTP:
    context = ssl.create_default_context(cafile=values["ca_file"])
    if values["tls"] == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=context)
    made = smtplib.SMTP(host, port, timeout=TIMEOUT_S)
    if values["tls"] == "starttls":
        try:
            made.starttls(context=context)
        except (smtplib.SMTPException, OSError):
            made.close()
            raise
    return made


def webhook(values: dict[str, Any], secret: str, letter: Letter) -> dict[str, int]:
    """POST {cabinet, alarms, text} with an Idempotency-Key; 2xx means taken. It refuses nobody."""
    parts = urllib.parse.urlsplit(values["url"])
    headers = {"Content-Type": "application/json", "Idempotency-Key": letter.identity}
    if secret:
        headers["Authorization"] = f"Bearer {secret}"
    body = json.dumps({**letter.content, "text": letter.text}).encode()
    path = urllib.parse.urlunsplit(("", "", parts.path or "/", parts.query, ""))
    try:
        link = deadline.connection(parts, TIMEOUT_S, values["ca_file"])
        with contextlib.closing(link):
            link.request("POST", path, body, headers)
            answer = link.getresponse()
            answer.read(ANSWER_BYTES_MAX)
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise DoorError(f"webhook {parts.netloc}: {_words(error)}") from None
    if not 200 <= answer.status < 300:
        raise DoorError(f"webhook {parts.netloc}: answers {answer.status}, not 2xx")
    return {}


def _words(error: Exception) -> str:
    """One line of ours: no text of a library or of the far end, which may repeat a secret."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return "refuses user or password"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return "does not offer what the table asks for (starttls, or a log-in)"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"answers {error.smtp_code}"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"refuses {', '.join(sorted(error.recipients))}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return tls_words(error)
    if isinstance(error, ssl.SSLError):
        return 'TLS failed; is this its port for TLS (tls = "tls"), or for starttls'
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT_S:.0f} s"
    if isinstance(error, ValueError):
        return "its name is no name of a host"
    name = getattr(error, "filename", None)
    words = getattr(error, "strerror", None) or "the connection ended early"
    return f"{name}: {words}" if name else words
