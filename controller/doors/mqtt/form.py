"""The keys of [mqtt.NAME] in doors.toml: those of a broker, and those of the door."""

from controller.doors.exposure import CONNECTS, Exposure, rows as placed
from controller.doors.settings import Settings, source_of
from controller.forms.addresses import place
from controller.forms.field import integer, matching, number, texts
from controller.forms.reading import Values
from controller.forms.refusal import Path
from controller.mqtt import form as of_broker

OWN = {
    "cabinet": matching(
        of_broker.NAME, of_broker.NAME_WORDS, note="Name of the cabinet in the topics."
    ),
    "sources": texts([], "Sources whose commands are taken; each has its [source.NAME]."),
    "period_s": number(0.2, 3600, 1.0, "Least time between two messages of `state` or `report`."),
    "events_max": integer(1, 1000, 1000, "Missed events that are sent after a reconnect."),
}
SHOWN = """
host port cabinet protocol tls ca certificate certificate_key user password_file
sources period_s keepalive_s events_max
""".split()  # in this order
FORM = {name: {**of_broker.BROKER, **OWN}[name] for name in SHOWN}


def check(settings: Settings, path: Path, values: Values) -> None:
    """Refuse values that are allowed alone, but not together. Raises ConfigError."""
    sources = [source_of(settings, (*path, "sources"), name) for name in values["sources"]]
    obliging = [source.name for source in sources if source.may == "grid_cap"]
    of_broker.check(settings.path, path, values, obliging)


def exposure(settings: Settings, path: Path, values: Values) -> list[Exposure]:
    """One row for what is sent. For each source one row for signed hints, and one for hints that
    the door signs on the word of the broker.
    """
    where, encryption = place(values["host"], values["port"]), "TLS" if values["tls"] else "no"
    rows = [("state, events, alarms", "-", "nothing comes in")]
    for source in [settings.sources[name] for name in values["sources"]]:
        if source.key_path:
            rows.append((f"hints of {source.name}", "the broker's ACL", source.may))
        rows.append((f"signed hints of {source.name}", "its key", source.may))
    return placed(path, CONNECTS, where, encryption, rows)
