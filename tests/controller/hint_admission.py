"""An admission check with sources of every role and no socket, for tests of hints."""

from types import SimpleNamespace

from controller.config.sources import Source
from controller.core.base import hint_codes as h
from controller.hints import admission as hints, hint_statistics, wire as w
from controller.run.epochs import Epochs

NONCE = bytes(range(8))
NOW_MS = 1_000_000
ROLES = {"caps": "cap", "asks": "request", "grid": "grid_cap", "boss": "operator"}


def key_bytes(number):
    return bytes([number]) * w.KEY_BYTES


def sources(hints_per_s_max=10, valid_s_max=300):
    """One source of each role, sorted by name as in the configuration."""
    fallback = dict.fromkeys(h.QUANTITIES) | {h.IMPORT_W_MAX: 350_000}
    found = []
    for index, name in enumerate(sorted(ROLES)):
        rank = index + 1 if ROLES[name] != "cap" else 0
        limits = valid_s_max, hints_per_s_max, 25_000, 100_000, fallback
        found.append(Source(name, index, ROLES[name], rank, *limits))
    return tuple(found)


class Statistics:
    """The writer's side of hint_statistics, without a file."""

    def __init__(self, count):
        self.common = [0] * len(hint_statistics.COMMON)
        self.rows = [[0] * len(hint_statistics.OWN) for _ in range(count)]


def made(state=None, stored=None, **settings):
    """(admission check, list of what it handed over, its statistics)."""
    given, configured = [], sources(**settings)
    statistics = Statistics(len(configured))
    keys = {source.name: (hints.key_of(key_bytes(source.index + 1), 5),) for source in configured}
    place = SimpleNamespace(slots=8, submitted=1, saved=1)

    def take(hint):
        if len(given) >= place.slots:
            return None
        given.append(hint)
        return len(given) - 1

    schedules = []

    def take_schedule(source, schedule):
        schedules.append((source.name, schedule))
        return 0

    epochs = Epochs(stored or {})

    def keep_epoch(names, epoch):
        if epochs.take(names, epoch):
            epochs.submitted(names[0], place.submitted)
        return epochs.is_stored(names[0], SimpleNamespace(poll=lambda: place.saved))

    controller = hints.Controller(take, take_schedule, state, None, keep_epoch, epochs.highest)
    check = hints.Admission(configured, keys, NONCE, controller, statistics)
    check.schedules = schedules
    check.place = place
    return check, given, statistics


def hint(source="grid", sequence=1, **fields):
    cap = (NONCE, sequence, NOW_MS, h.GRID_CAP, h.IMPORT_W_MAX, 7, 400_000, 300_000)
    return w.Hint(source, *cap)._replace(**fields)


def datagram(one, key=None):
    index = sorted(ROLES).index(one.source) if one.source in ROLES else 0
    return w.signed(one, key or key_bytes(index + 1))
