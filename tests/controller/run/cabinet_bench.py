"""A cabinet on a substitute field, keeper and channel B, ticked by hand."""

from array import array
from dataclasses import replace
from types import SimpleNamespace

from controller.config import configuration
from controller.core import image
from controller.core.base import instances
from controller.run import cabinet as cabinets, operator_commands
from controller.sites import EXAMPLE
from controller.store import two_copies
from controller.store.stored_record import AWAKE
from hil.engine.run_directory import approved
from safety import latches, matrix, signals as s
from safety.start_checklist import INHIBIT_REASONS
from tests.safety import late_steps


def believed(loaded):
    """A grid meter that no code proves: what it tells here does not follow the battery."""
    control = loaded.control | {"meter_code_permille": 0}
    return replace(loaded, control=control, control_image=array("i", control.values()))


CONFIG = believed(configuration.load(EXAMPLE))
READY = approved(CONFIG)
NAMES = instances.stage_instances(CONFIG.layout())
TICK_US = 20_000
STORED_TICKS = operator_commands.STORED_MS // CONFIG.tick_ms
CLOSED_TICKS = 16  # closing takes 15
RUN_TICKS = 64  # closing, or a controlled stop of at most 60
WORDS = """
    rack_voltage_mV 790_000 cell_voltage_mV_min 3290 cell_voltage_mV_max 3300 soc_permille 550
    soh_permille 990 charge_current_mA_max 140_000 discharge_current_mA_max 140_000
    cells_online 240 insulation_kohm 2000 gas_1_calibration_d 100 gas_2_calibration_d 100
    offgas_1_calibration_d 100 offgas_2_calibration_d 100 toxic_calibration_d 100
    air_temperature_ddegC 250 humidity_permille 400 ups_reserve_min 180
""".split()


RATED = dict(zip(WORDS[::2], map(int, WORDS[1::2])))


class Keeper:
    """Takes records; acknowledges the first `durable` of them."""

    ok, is_gone, line = True, False, ""

    def __init__(self, log, durable=1 << 30):
        self.log, self.durable, self.records = log, durable, []

    def submit(self, record):
        self.records.append(record)
        self.log.append("stored")
        return len(self.records)

    @property
    def submitted(self):
        return len(self.records)

    @property
    def saved(self):
        return min(len(self.records), self.durable)

    def poll(self):
        return self.saved


class Field:
    """Replaces ports and devices: all is well, contactors and permits follow."""

    def __init__(self, image, log):
        self.image, self.log, self.layout, self.ticks = image, log, image.layout, 0
        self.pcs = [SimpleNamespace(unit=unit) for unit in range(image.layout.units)]
        self.out = array("i", [0] * self.layout.outputs)
        self.wrong = {}  # input index -> value
        names = [name for name, *_ in s.CABINET_INPUTS[: s.RUN_REQUEST]]
        good = [1 if name.endswith("_ok") else RATED.get(name, 0) for name in names]
        rack = [RATED.get(name, 0) for name, *_ in s.RACK_INPUTS] + [250] * self.layout.modules
        self.cabinet, self.rack = (array(image.inp.typecode, words) for words in (good, rack))

    def read(self, now_us):
        inp, layout = self.image.inp, self.layout
        self.ticks += 1
        inp[: s.RUN_REQUEST] = self.cabinet
        inp[s.GRID_RAW_HASH] = inp[s.LOAD_RAW_HASH] = self.ticks
        held = 1 - self.out[s.WITHHOLD_ON]
        inp[s.PERMIT_1_CLOSED] = self.out[s.PCS_ENABLE_OK] & held
        inp[s.PERMIT_2_CLOSED] = self.out[s.CONTACTOR_SUPPLY_OK] & held
        for unit in range(layout.units):
            inp[layout.unit_input(unit, s.PCS_DC_VOLTAGE_MV)] = RATED["rack_voltage_mV"]
        for rack in range(layout.racks):
            first = layout.rack_input(rack, 0)
            inp[first : first + len(self.rack)] = self.rack
            closed = self.out[layout.rack_output(rack, s.CONTACTOR_CLOSE_OK)]
            inp[first + s.CONTACTOR_STATE] = s.CONTACTOR_CLOSED if closed else s.CONTACTOR_OPEN
        for at, value in self.wrong.items():
            inp[at] = value
        if s.KEY_SERVICE_CLOSED not in self.wrong:
            inp[s.KEY_SERVICE_CLOSED] = 1 - inp[s.KEY_RUN_OK]
        self.image.fresh[:] = b"\1" * len(self.image.fresh)

    def write(self, inp, out, setpoints_W, now_us):
        self.out[:] = out[: self.layout.outputs]
        self.log.append("written")

    def write_site(self, actuators, now_us):
        """No site device is configured."""


class Peer:
    """Replaces channel_link.ChannelLink; a test sets the words of channel B."""

    def __init__(self):
        self.code, self.standing, self.orders = 0, image.PEER_EMPTY, []
        self.result = self.at_once = latches.NONE
        self.store_revision = self.keeps = (0, 0)

    def kept(self):
        return self.keeps

    def update(self, elapsed_ticks):
        """Nothing comes in."""

    def report(self):
        """Nothing goes out."""

    def causes(self):
        return self.standing

    def order_reset(self, *order):
        self.orders.append(order)
        self.result = self.at_once


class Bench:
    def __init__(self, loaded=None, settings=CONFIG, journal=None):
        self.log, self.now_us, self.answers = [], 0, []
        self.keeper = Keeper(self.log)
        loaded = self.ready(loaded or found(two_copies.CLEAN), settings)
        self.cabinet = cabinets.Cabinet(settings, loaded, self.keeper, journal)
        self.field = self.cabinet.field = Field(self.cabinet.image, self.log)
        self.kernel, self.layout = self.cabinet.core.kernel, self.cabinet.core.layout
        self.out, self.cell_at = self.kernel.out, self.layout.rack_input(0, s.CELL_VOLTAGE_MV_MAX)

    def ready(self, loaded, settings):
        """Another image than the example's was approved like that."""
        if settings is CONFIG or not loaded.record or loaded.record.approved != READY.approved:
            return loaded
        record = replace(loaded.record, approved=approved(settings).approved)
        return loaded._replace(record=record)

    def tick(self, count=1, elapsed=1):
        for _ in range(count):
            self.now_us += TICK_US * elapsed
            self.cabinet.tick(self.now_us, elapsed)
            late_steps.forget(self.kernel)
            if self.cabinet.answer:
                self.answers.append(self.cabinet.answer)
        return self

    def told(self, name):
        """A block of the process image, or the signal of this index, as of the last tick."""
        inp = self.cabinet.core.inp
        return inp[name] if isinstance(name, int) else list(inp[self.cabinet.image.places[name]])

    @property
    def state(self):
        return s.STATES[self.out[s.STATE]]

    @property
    def standing(self):
        evaluator = self.kernel.evaluator
        return [NAMES[at] for at in range(evaluator.count) if evaluator.standing(at)]

    @property
    def latched(self):
        return {name for name, is_so in zip(NAMES, self.kernel.evaluator.latched) if is_so}

    @property
    def stored(self):
        record = self.keeper.records[-1]
        assert record.cabinets == (self.cabinet.config.names[-1][1],)
        return replace(record, cabinets=(), approved=b"", approved_by="", trips=0, changes=0)

    @property
    def people(self):
        return self.stored.locked_out, self.stored.rest

    def hold(self):
        """The store acknowledges nothing from now on, until `release`."""
        self.keeper.durable = len(self.keeper.records)
        return self

    def release(self, count=100):
        self.keeper.durable += count
        return self

    def reset(self, kind=matrix.REMOTE, peer_seen=image.PEER_EMPTY):
        seen = self.out[s.FIRST_OUT_INSTANCE], self.out[s.CAUSE_MASK]
        self.cabinet.request_reset(kind, *seen, *peer_seen)
        return self.tick()

    def trip(self, rack=0):
        """Row 29 of a rack: a cell at 3.7 V for 2 s; then well again."""
        at = self.layout.rack_input(rack, s.CELL_VOLTAGE_MV_MAX)
        self.field.wrong[at] = 3700
        self.tick(11, elapsed=10)
        assert f"29.rack{rack + 1}" in self.latched
        del self.field.wrong[at]
        return self

    def clear(self):
        """State five seconds after the causes have gone: a reset may clear them."""
        self.tick(3)
        count, clear_ticks = self.kernel.evaluator.clear_count, self.kernel.latches.clear_ticks
        for index, ticks in enumerate(count):
            count[index] = max(ticks, clear_ticks) if ticks else 0
        return self.tick()

    def key(self, level):
        """Turn the key: 0 out of RUN, 1 back."""
        self.field.wrong[s.KEY_RUN_OK] = level
        return self.tick()

    def is_kept_open(self):
        reason = INHIBIT_REASONS[self.out[s.INHIBIT_REASON]]
        return (self.state, reason) == ("inhibited", "locked out") and self.is_open()

    def is_open(self):
        return not self.out[s.ARM_REQUEST] and not self.out[s.CONTACTOR_SUPPLY_OK]


def found(state, **fields):
    is_without = state in (two_copies.MISSING, two_copies.UNREADABLE) and not fields
    return two_copies.Loaded(state, None if is_without else replace(READY, **fields), 1, [])


def restarted(record):
    state, record = (
        two_copies.KILLED if record.armed else two_copies.CLEAN,
        replace(record, approved=READY.approved),
    )
    loaded = two_copies.Loaded(state, record, 1, [])
    return Bench(loaded).tick(CLOSED_TICKS)


def running(**options):
    bench = Bench(**options).tick(CLOSED_TICKS)
    assert bench.state == "running"
    return bench


def at_rest(rest=AWAKE, locked_out=""):
    return Bench(found(two_copies.CLEAN, rest=rest, locked_out=locked_out)).tick(CLOSED_TICKS)


def with_peer(bench):
    bench.cabinet.peer = Peer()
    return bench, bench.cabinet.peer
