"""The keys of [alarms.NAME] in doors.toml: one mail relay, or one address of a webhook."""

import re

from controller.doors.exposure import CONNECTS, Exposure, rows as placed
from controller.doors.settings import Settings, Values
from controller.forms.addresses import LOCAL
from controller.forms.field import choice, integer, matching, several
from controller.forms.reading import together
from controller.forms.refusal import Path, refuse

ADDRESS = re.compile(r"[!-~]{1,64}@[A-Za-z0-9.-]{1,190}")
SERVER = re.compile(r"[A-Za-z0-9.:-]{1,190}:[0-9]{1,5}")
URL = re.compile(r"https?://[A-Za-z0-9.-]{1,190}(:[0-9]{1,5})?(/[!-~]{0,500})?")
TLS = ("starttls", "tls", "none")


FORM = {
    "server": matching(
        SERVER, "HOST:PORT of the relay", None, "Mail relay of the site; needs from and to."
    ),
    "tls": choice(TLS, TLS[0], "Encryption to the relay."),
    "from": matching(ADDRESS, "one mail address", None, "Sender."),
    "to": several(ADDRESS, 20, "a list of 1 to 20 mail addresses", None)._replace(
        note="Receivers."
    ),
    "user": matching(
        re.compile(r"[!-~]{1,100}"), "a name without blanks", None, "Login at the relay."
    ),
    "url": matching(
        URL,
        "an address http://... or https://... without blanks",
        None,
        "Webhook, in place of a relay.",
    ),
    "secret_file": matching(
        re.compile(r"[^/\0][^\0]{0,200}"),
        "a file beside doors.toml",
        None,
        "Its first line is the password of the relay or the bearer token of the webhook. Mode 600.",
    ),
    "ca_file": matching(
        re.compile(r"[^\0]{1,200}"),
        "a file with certificates",
        None,
        "CA of the site. Without it the CAs of the system count.",
    ),
    "again_min": integer(
        1, 1440, 15, "An alarm that comes and goes is sent again after this pause at the earliest."
    ),
    "letters_per_h_max": integer(1, 120, 20, "Further alarms wait and leave as one letter."),
    "silent_s": integer(10, 3600, 60, "A controller without a tick for so long is an alarm."),
}
MAIL = ("server", "from", "to")


def check(settings: Settings, path: Path, values: Values) -> None:
    """Require either a relay with its addresses, or a url. Raises ConfigError."""
    present = [key for key in MAIL if values[key] is not None]
    if values["url"] is None and len(present) < len(MAIL):
        missing = ", ".join(key for key in MAIL if key not in present)
        refuse(settings.path, path, f"lacks {missing}", "a url, or server, from and to")
    if values["url"] is not None and present:
        refuse(settings.path, (*path, present[0]), "is beside url", "a url, or server, from and to")
    place = _place(values)
    port = place.rpartition(":")[2] if ":" in place else "1"
    labels = place.partition(":")[0].split(".")
    if not 0 < int(port) < 65536 or not all(0 < len(label) < 64 for label in labels):
        key = "url" if values["url"] else "server"
        refuse(settings.path, (*path, key), "names no host and port", "HOST:PORT, port 1..65535")
    if values["url"] is None:
        together(settings.path, path, values, "user", "secret_file")
    is_near = place.partition(":")[0] in LOCAL
    if not is_near and not _is_encrypted(values) and values["secret_file"] is not None:
        fault = "would send its secret in clear text"
        refuse(
            settings.path, path, fault, 'https, tls = "starttls" or "tls", or a loopback address'
        )


def exposure(settings: Settings, path: Path, values: Values) -> list[Exposure]:
    """The row of `firebreak doors check` for this door, which only sends."""
    url, place = values["url"], _place(values)
    # the rest of the URL may contain a secret of the receiver
    shown = f"{url.partition('://')[0]}://{place}/" if url else place
    purpose = "webhook, alarms" if url else f"mail to {len(values['to'])}, alarms"
    encryption = "TLS" if _is_encrypted(values) else "no"
    return placed(path, CONNECTS, shown, encryption, [(purpose, "-", "nothing comes in")])


def _place(values: Values) -> str:
    """Host, and port if it is given."""
    url = values["url"]
    return str(url.partition("://")[2].partition("/")[0] if url else values["server"])


def _is_encrypted(values: Values) -> bool:
    url = values["url"]
    return bool(url.startswith("https") if url else values["tls"] != "none")
