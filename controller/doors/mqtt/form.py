"""The keys of [mqtt.NAME] in doors.toml: those of a broker, and those of the door."""

from controller.doors.exposure import CONNECTS, Exposure, rows as placed
from controller.doors.settings import Settings, source_of
from controller.forms.addresses import place
from controller.forms.field import integer, matching, number, texts
from controller.forms.reading import Values
from controller.forms.refusal import Path
from controller.mqtt import form as broker_form

OWN = {
    "cabinet": matching(
        broker_form.NAME, broker_form.NAME_WORDS, note="Name of the cabinet in the topics."
    ),
    "sources": texts([], "Sources whose commands are taken; each has its [source.NAME]."),
    "period_s": number(0.2, 3600, 1.0, "Least time between two messages of `state` or `report`."),
    "events_max": integer(1, 1000, 1000, "Missed events that are sent after a reconnect."),
}
KEY_ORDER = """
host port cabinet protocol tls ca certificate certificate_key user password_file
sources period_s keepalive_s events_max
""".split()
FORM = {name: {**broker_form.BROKER, **OWN}[name] for name in KEY_ORDER}


def check(settings: Settings, path: Path, values: Values) -> None:
    """Refuse values that are allowed alone, but not together. Raises ConfigError."""
    sources = [source_of(settings, (*path, "sources"), name) for name in values["sources"]]
    obliging = [source.name for source in sources if source.may == "grid_cap"]
    broker_form.check(settings.path, path, values, obliging)


def exposure(settings: Settings, path: Path, values: Values) -> list[Exposure]:
    """One row for sent messages. For each source, one row for hints that it signs itself, and one
    for hints that the door signs because it believes the broker.
    """
    where, encryption = place(values["host"], values["port"]), "TLS" if values["tls"] else "no"
    rows = [("state, events, alarms", "-", "nothing comes in")]
    for source in [settings.sources[name] for name in values["sources"]]:
        if source.key_path:
            rows.append((f"hints of {source.name}", "the broker's ACL", source.may))
        rows.append((f"signed hints of {source.name}", "its key", source.may))
    return placed(path, CONNECTS, where, encryption, rows)
