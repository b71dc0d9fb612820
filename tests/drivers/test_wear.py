"""Wear: what a device may store is read before it is written, counted, and bounded in a day."""

from types import SimpleNamespace

import pytest
from device_suite import Bus
from register_converter import PROFILES, built, data_of, words_of

from controller.config import configuration, profiles
from controller.core.core import Core
from controller.core.image import ProcessImage
from controller.run.field import Field
from controller.run.record_feed import RecordFeed
from controller.sites import FOLDER as SITES
from controller.store import stored_record, two_copies
from drivers import register_write, wear
from drivers.buses import rtu
from drivers.profile import FOLDER
from drivers.sunspec import Places
from tests.exemptions import Exempt, same
from tests.repository import ROOT
from tests.tables import cases

HOUR_US = 3_600_000_000
WITH_SETUP = [name for name in PROFILES if data_of(name).get("setup")]


def test_each_function_that_writes_is_counted():
    """A new function code of the bus is no way past the count."""
    assert set(wear.WRITES) == set(rtu._WRITES)


@pytest.mark.parametrize(
    "path", sorted(SITES.glob("*/cabinet.toml")), ids=lambda at: at.parent.name
)
def test_each_frame_to_a_device_of_a_cabinet_is_counted(path):
    """The bus counts, so a driver, a role or a family that is new cannot be left out."""
    config = configuration.load(str(path))
    images = config.safety_image, config.control_image, config.source_image, config.site_image
    field = Field(config, ProcessImage(Core(*images).layout, config.site_devices))
    devices = [each for each in config.devices if each.bus in field.ports]
    assert {each.name for each in devices} == set(field.wear)
    for number, device in enumerate(devices, 1):
        frame = rtu.write_request(16, "", device.address, 65_000 + number, [0]).frame
        before = field.wear[device.name].spent
        port = field.ports[device.bus]
        port.submit(rtu.write_request(16, "x", device.address, 65_000 + number, [0]))
        for at_us in range(0, 60_000_000, 1000):
            if port.poll(at_us) == frame:
                break
        assert field.wear[device.name].spent == before + 1, device.name


def setup_writes(slave, name):
    places = {step["address"] for step in data_of(name)["setup"]}
    return [address for _, address, _ in slave.writes if address in places]


def set_up(name):
    """(device, slave) whose registers hold what the set-up writes."""
    device, slave, *_ = built(name)
    for step in data_of(name)["setup"]:
        if "value" in step:
            slave.holding.update(
                enumerate(words_of({"type": "u16", **step}, step["value"]), step["address"])
            )
    return device, slave


@pytest.mark.parametrize("name", WITH_SETUP)
def test_a_set_up_that_the_device_holds_is_not_written(name):
    device, slave = set_up(name)
    bus = Bus(device, slave, baud_Bd=460_800)
    for _ in range(3):
        bus.run(6000)
        assert device.ready, device.fault
        device.restart()
    assert not setup_writes(slave, name)


@pytest.mark.parametrize("name", WITH_SETUP)
@pytest.mark.parametrize("is_read", (True, False))
def test_a_set_up_that_does_not_stick_is_written_seldom(name, is_read):
    """One that cannot be read once in a connection; one that is not kept ever more seldom."""
    device, slave, *_ = built(name)
    steps = data_of(name)["setup"]
    # one with read_back is read all the time
    places = {step["address"] for step in steps if is_read or not step.get("read_back")}
    real = slave.answer

    def answer(frame):
        reply = real(frame)
        slave.holding.update(dict.fromkeys(places & set(slave.holding), 0))
        if frame[1] == 3 and int.from_bytes(frame[2:4], "big") in places and not is_read:
            return b""
        return reply

    slave.answer = answer
    Bus(device, slave, baud_Bd=460_800).run(60_000)
    found = setup_writes(slave, name)
    assert len(found) >= 1
    assert max(found.count(each) for each in found) <= (3 if is_read else 1)
    stored = {step.register.address for step in device.profile.setup if step.stored != "no"}
    assert device.wear.spent >= len([each for each in found if each in stored])


def profile_of(tmp_path, text, settings=""):
    path = tmp_path / "own.toml"
    path.write_text(
        'maker = "x"\nmodel = "x"\nfamily = "site_device"\ndocuments = ["x"]\n[timing]\n'
        "period_ms = 1000\nturnaround_ms = 50\ntimeout_ms = 500\n"
        f'[settings]\nrole = "chiller"\n{settings}\n[registers]\n'
        'supply_temperature_ddegC = {direction = "read", type = "s16", address = 1280, '
        "range = [-400, 1000]}\n"
        f'pre_cool = {{direction = "write", type = "s16", address = 1792, range = [0, 1]{text}}}\n'
    )
    return profiles.load(str(path))


@cases("""text  settings  writes
    ""  ""  6
    ", repeat_ms = 100000"  ""  36
    ", stored = 'no'"  ""  3600
    ", stored = 'yes'"  "writes_per_day_max = 5"  1
    ", write_function = 15, type = 'bit'"  ""  3600
""")
def test_an_unchanged_value_is_repeated_as_seldom_as_its_register_needs(
    text, settings, writes, tmp_path
):
    text = text.replace("type = 'bit'", "count = 1")
    profile = profile_of(tmp_path, text, settings) if "15" not in text else None
    if profile is None:
        profile = profiles.load("chiller_contact")
        profile.registers["pre_cool"].repeat_ms = 1000
    write = write_of(profile)
    made = [write.request(1, at * 20_000) for at in range(3600 * 50)]
    assert len([each for each in made if each]) == writes


def write_of(profile, worn=None):
    """The write of the register of `profile_of`, which counts in `worn`."""
    register = profile.registers["pre_cool"]
    return register_write.RegisterWrite(register, 1, {}, Places(profile), lambda *_: None, worn)


def spent(tmp_path):
    """(write, wear) of a register whose budget is spent with the value 1."""
    profile = profile_of(tmp_path, ", stored = 'yes'", "writes_per_day_max = 3")
    worn = wear.Wear(profile)
    write, now_us = write_of(profile, worn), 0
    for at in range(3):
        now_us += 1_000_000
        worn.see(write.request(1 - at % 2, now_us).frame)
    return write, worn, now_us


def test_a_spent_budget_lets_only_the_rest_value_pass(tmp_path):
    write, worn, now_us = spent(tmp_path)
    assert worn.spent == 3 and worn.is_spent(now_us)
    assert write.request(0, now_us + 1) is not None
    assert write.request(1, now_us + 1_000_000) is None
    write.forget()
    request = write.request(1, now_us + 2_000_000, True)
    assert request.frame[7:9] == b"\0\0", "the safe rest value replaces a value that may not go"
    assert write.request(1, now_us + 86_400_000_000) is not None


@cases("""asked  rests  written
    1000  True  1000 | 3000  True  3000 | 4000  True  3000 | 4000  False  3000 | 0  False  0
""")
def test_a_spent_budget_keeps_a_site_device_at_the_value_it_has(asked, rests, written, tmp_path):
    """Its repetition passes, so that the device does not go to its own fallback."""
    profile = profile_of(tmp_path, ", repeat_ms = 60000", "writes_per_day_max = 1441")
    worn = wear.Wear(profile)
    worn.spent = 1440
    write = write_of(profile, worn)
    worn.see(write.request(3000, 1_000_000, rests).frame)
    assert worn.is_spent(1_000_000)
    for at_us in (62_000_000, 124_000_000):
        request = write.request(asked, at_us, rests)
        assert int.from_bytes(request.frame[7:9], "big") == written
        request.on_failure(rtu.TIMEOUT, 0, at_us)  # a lost one is repeated, not forgotten
    assert write.request(4000, 200_000_000, rests).frame[7:9] == written.to_bytes(2, "big")


def test_a_device_that_keeps_another_value_gets_none_of_a_spent_budget(tmp_path):
    profile = profile_of(tmp_path, ", read_back = true", "writes_per_day_max = 145")
    worn = wear.Wear(profile)
    worn.spent = 144
    write = write_of(profile, worn)
    worn.see(write.request(1, 1_000_000).frame)
    write._written(b"", 1_000_000)
    write.read_back().on_reply(b"\3\2\0\0", 1_100_000)
    assert write.request(1, 90_000_000) is None and write.request(0, 90_000_000) is not None


@cases("""asked  held  is_so
    0  0  False | 1  0  True | 1  1  False | 2  1  True | -1  1  True | -1  -2  False
    0  -2  False | -3  -2  True""")
def test_a_spent_budget_holds_back_what_lies_beyond_the_value_that_is_held(
    asked, held, is_so, tmp_path
):
    worn = wear.Wear(profile_of(tmp_path, ", stored = 'yes'", "writes_per_day_max = 2"))
    worn.spent = 1
    assert not worn.holds_back(asked, held, 0)
    worn.spent = 2
    assert worn.holds_back(asked, held, 0) == is_so


@cases("""state  kept  spent
    "CLEAN"  1440  1 | "ARMED"  1440  1 | "MISSING"  None  0 | "UNREADABLE"  1440  24
    "UNREADABLE"  None  24
""")
def test_a_store_of_another_cabinet_gives_no_fresh_budget(state, kept, spent):
    worn = wear.Wear(profiles.load("growatt_vpp"))
    record = None if kept is None else stored_record.Record(written={"pcs_1": kept})
    feed = SimpleNamespace()
    RecordFeed.go_on(
        feed, {"pcs_1": worn}, SimpleNamespace(state=getattr(two_copies, state), record=record)
    )
    assert worn.spent == spent


def test_a_restart_gives_no_fresh_budget(tmp_path):
    _, worn, now_us = spent(tmp_path)
    after = wear.Wear(profiles.load(str(tmp_path / "own.toml")))
    after.take(worn.kept)
    assert worn.kept == 4320 and after.is_spent(0) and after.is_spent(86_399_000_000)
    assert not after.is_spent(86_400_000_000)


def test_the_stored_record_keeps_what_each_device_has_spent():
    record = stored_record.Record(written={"pcs_1": 17_370, "roof": 4320})
    assert stored_record.decode(stored_record.encode(1, record)) == (1, record)
    other = stored_record.Record(written={"pcs_1": 13_060, "cold": 1441})
    assert stored_record.union(record, other).written == {
        "pcs_1": 17_370,
        "roof": 4320,
        "cold": 1441,
    }


@cases("""spent  kept
    0  0 | 1  6 | 6  6 | 7  12 | 99  100 | 100  100 | 160  100
""")
def test_the_store_keeps_the_count_in_steps_that_are_rounded_up(spent, kept, tmp_path):
    profile = profile_of(tmp_path, ", stored = 'yes'", "writes_per_day_max = 100")
    worn = wear.Wear(profile)
    worn.spent = spent
    assert worn.kept == kept * 1440


@cases("""frame  stored  counted
    rtu.write_request(16, "", 1, 1792, [1])  "yes"  1
    rtu.write_request(16, "", 1, 1792, [1])  "not stated"  1
    rtu.write_request(16, "", 1, 1792, [1])  "no"  0
    rtu.write_request(16, "", 1, 1791, [1, 1])  "no"  1
    rtu.write_request(16, "", 1, 1792, [1, 1])  "no"  1
    rtu.write_request(6, "", 1, 4711, [1])  "no"  1
    rtu.write_request(15, "", 1, 1792, [1])  "no"  1
    rtu.read_request("", 1, 3, 1792, 1)  "yes"  0
""")
def test_a_write_of_a_register_that_no_table_names_counts(frame, stored, counted, tmp_path):
    most = 0 if stored == "no" else 200
    settings = f"writes_per_day_max = {most}"
    worn = wear.Wear(profile_of(tmp_path, f", stored = '{stored}'", settings))
    worn.see(frame.frame)
    assert worn.spent == counted


def test_every_write_of_a_shipped_profile_says_whether_it_is_stored():
    every = [profiles.load(path.stem) for path in sorted(FOLDER.glob("*.toml"))]
    found = [each for profile in every for each in wear.written(profile)]
    assert len(found) > 60 and {each.stored for each in found} <= {"yes", "no", "not stated"}
    growatt = {each.address: each.stored for each in wear.written(profiles.load("growatt_vpp"))}
    assert growatt == {30100: "yes", 30407: "no", 30408: "no", 30409: "no"}


# modules that make writes without asking the budget, and why
REST = "tests/drivers/test_wear.py::test_a_spent_budget_lets_only_the_rest_value_pass"
WITHOUT_BUDGET = {
    **same(
        Exempt(
            "a budget is not allowed in its profile, so a memory of the device may wear out",
            "tests/drivers/test_wear.py"
            "::test_every_write_of_a_shipped_profile_says_whether_it_is_stored",
        ),
        "drivers/io.py",
        "drivers/pcs.py",
    ),
    "drivers/register_pcs.py": Exempt(
        "stops, heartbeats and the repetition of a start wear a spent memory", REST
    ),
    "drivers/setpoint_form.py": Exempt("none: setpoint_writer.py asks", REST),
    "drivers/steps.py": Exempt(
        "none: register_steps.py asks",
        "tests/drivers/test_wear.py::test_a_set_up_that_does_not_stick_is_written_seldom",
    ),
    **same(
        Exempt(
            "none: it makes a frame for a check or a page, and sends nothing",
            "tests/drivers/test_wear.py::test_each_frame_to_a_device_of_a_cabinet_is_counted",
        ),
        "controller/config/families.py",
        "controller/config/sends.py",
        "controller/workbench/exchanges.py",
    ),
}


def writers():
    """The modules that make writes."""
    for room in ("drivers", "controller"):
        for path in (ROOT / room).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            is_writer = "write_request(" in text and "def write_request(" not in text
            if is_writer or "rtu.write_request" in text:
                yield path.relative_to(ROOT).as_posix()


GUARDS = "a writer that wears a memory out"


def covered():
    """The modules that make writes."""
    return writers()


def test_every_module_that_writes_asks_the_budget_or_says_why_not():
    """A new writer is found, so that nothing passes a spent budget by a side way."""
    texts = {path: (ROOT / path).read_text(encoding="utf-8") for path in writers()}
    silent = {path for path, text in texts.items() if "holds_back(" not in text}
    assert silent == set(WITHOUT_BUDGET)


def test_a_write_of_two_registers_that_are_not_stored_does_not_count(tmp_path):
    worn = wear.Wear(profile_of(tmp_path, ", stored = 'yes'", "writes_per_day_max = 9"))
    worn._written = [wear.Written("x", False, 10, 2, "no")]
    worn.see(rtu.write_request(16, "", 1, 10, [1, 2]).frame)
    assert worn.spent == 0


def test_a_set_up_that_may_be_stored_waits_for_the_next_day():
    device, slave, *_ = built("growatt_vpp")
    device.wear.spent = device.wear.most
    Bus(device, slave, baud_Bd=460_800).run(6000)
    assert not setup_writes(slave, "growatt_vpp") and not device.ready
    assert device.fault.endswith("register 30100 waits: the budget of writes is spent for today")
