"""Every stage: armed when its equipment is there, not armed and named when somebody accepted that,
else refused.
"""

import pytest
from site_files import SITES, SiteFiles
from word_sets import words

from controller.documents import check
from controller.rows import records
from controller.site import (
    config,
    cross_checks,
    equipment,
    hma,
    schema,
    stage_order,
    stage_states,
    wired,
)
from controller.site.equipment import EQUIPMENT
from controller.site.refusal import in_unit
from controller.site.value_checks import allowed_text
from drivers import profile as profiles
from safety import channel, matrix, peer, signals
from safety import second_image as si

IDS = [stage[matrix.S_ID] for stage in matrix.STAGES]
WHO = "N. N., 2026-01-01: test"
# What has to go so that a stage of the default cabinet is not armed; the others no equipment can
# disarm.
LACKS = {
    stage: names.split()
    for names, stages in (
        ("suppression", "3"),
        ("smoke heat", "4"),
        ("smoke", "5"),
        ("fire_trouble", "6a 6b"),
        ("offgas", "7 8b 8c"),
        ("offgas_2", "8a"),
        ("toxic", "9 10a 10b"),
        ("gas", "11 12a 12b"),
        ("gas offgas toxic", "13a 13b 13c 14"),
        ("airflow", "15a 15b"),
        ("damper", "16a 16b"),
        ("hvac", "17a"),
        ("climate", "17b 17c 42c"),
        ("cell_voltage", "30"),
        ("bms_fault", "40e"),
        ("leak", "42a"),
        ("coolant", "42b"),
        ("ups", "43a 43b 43c 43d"),
        ("supervised noc", "46a 46b 46c"),
        ("door", "48a 48b"),
        ("climate ups", "52"),
    )
    for stage in stages.split()
}


WITH_DEVICE = [name for name, one in EQUIPMENT.items() if one.roles]


@pytest.fixture
def files(files):
    """The default cabinet, whose type offers to leave out everything there is."""
    return files.replace("type", '["suppression", "door"]', str(list(EQUIPMENT)).replace("'", '"'))


def without(files, names):
    """The cabinet without this equipment, accepted; explosion control by vents alone, no row by a
    wire that is not.
    """
    if set(names) & set(hma.PREVENTION_NEEDS):
        files.replace("type", 'explosion_control = "both"', 'explosion_control = "68"')
    if "gas" in names:
        files.replace("type", "\ngas_required_by = ", "\n# gas_required_by = ")
    rows = [
        row for row, how in records.WIRED.items() if how.is_required and how.contact not in names
    ]
    files.replace("type", "hard_wired_rows = [1, 12, 30, 44]", f"hard_wired_rows = {rows}")
    if "supervised" in names and "noc" not in names:
        files.replace("type", "noc_derate =", 'noc_source = "site_ems"\nnoc_derate =')
    return files.append(
        "site", "[not_fitted]\n" + "\n".join([f'{name} = "{WHO}"' for name in names])
    )


def states(loaded):
    """{stage: {(state, equipment)}} over all instances."""
    found = {}
    for stage, index in stage_states.instances(loaded.topology):
        found.setdefault(stage[matrix.S_ID], set()).add(
            stage_states.stage_state(stage, loaded.topology, index)
        )
    return found


def armed(loaded):
    """{stage: {0, 1}}: the armed words of the image."""
    found = {}
    words = loaded.safety_image[loaded.image_map().armed :]
    for (stage, _), word in zip(stage_states.instances(loaded.topology), words):
        found.setdefault(stage[matrix.S_ID], set()).add(word)
    return found


# -- every stage


def test_every_stage_is_armed_with_all_equipment(files):
    files.replace("type", 'second_channel = "none" ', 'second_channel = "fitted" ')
    files.replace("type", "[unit.1]\n", '[channel_b]\nport = "/dev/serial/by-path/b"\n\n[unit.1]\n')
    files.replace("type", "noc_derate = false", "noc_derate = true")
    loaded = without(files, ["supervised"]).load()
    assert states(loaded) == dict.fromkeys(IDS, {(stage_states.ARMED, "")})
    assert armed(loaded) == dict.fromkeys(IDS, {1})


@pytest.mark.parametrize("stage", LACKS)
def test_not_armed_and_named_without_its_equipment(files, stage):
    loaded = without(files, LACKS[stage]).load()
    state, name = states(loaded)[stage].pop()
    assert state == stage_states.NOT_FITTED and name in LACKS[stage] and armed(loaded)[stage] == {0}
    assert stage_states.accepted(loaded.topology, name) == WHO
    row = next(each[matrix.S_ROW] for each in matrix.STAGES if each[matrix.S_ID] == stage)
    assert any(
        stage in stages and words == "not fitted" and lacks == name
        for stages, words, lacks in check.row_states(loaded)[row]
    )
    text = check.report(loaded)
    assert f"accepted by: {WHO}" in " ".join(text.split())


@pytest.mark.parametrize(
    "stage", [name for name in LACKS if len(LACKS[name]) > 1 and "noc" not in LACKS[name]]
)
def test_one_of_several_kinds_keeps_a_stage_armed(files, stage):
    loaded = without(files, LACKS[stage][1:]).load()
    assert armed(loaded)[stage] == {1}


def test_nothing_that_may_be_left_out_disarms_the_others(files):
    found = states(without(files, list(EQUIPMENT)).load())
    others = {name: found[name] for name in IDS if name not in LACKS}
    alone = {(stage_states.NOT_FITTED, stage_states.SECOND_CHANNEL)}
    assert others == {**dict.fromkeys(others, {(stage_states.ARMED, "")}), "51": alone}


# -- missing and not accepted: refused, with the row


@pytest.mark.parametrize("name", WITH_DEVICE)
def test_a_device_that_is_missing_is_refused_with_its_row(files, name):
    role = EQUIPMENT[name].roles[0]
    text = files.paths[0].read_text()
    start = text.index(f"[device.{role}]")
    end = text.find("[device.", start + 1)
    files.paths[0].write_text(text[:start] + (text[end:] if end > 0 else ""))
    refusal = files.refusal()
    assert f"no device with role {role}: " in refusal and f"or not_fitted.{name}" in refusal
    for row in equipment.rows_of(name):
        assert f"row {row} ({records.ROWS[row].basis})" in refusal


def test_the_third_module_is_needed_for_its_contacts(files):
    text = files.paths[0].read_text()
    start, end = text.index("[device.io_3]"), text.index("[device.gas_1]")
    files.paths[0].write_text(text[:start] + text[end:])
    assert files.refusal() == (
        "example/cabinet.toml:device: no device with role io_3: row 16 (A29), row 17 (A6), row 42 "
        "(D4-D7) and row 46 "
        "(D4, A42) would not be armed; allowed exactly one, or not_fitted.damper and "
        "not_fitted.hvac and "
        "not_fitted.leak and not_fitted.coolant and not_fitted.supervised"
    )
    without(files, ["damper", "hvac", "leak", "coolant", "supervised", "shunt_trip", "aux_load"])
    assert files.load().cabinet["io_3_fitted"] == 0


def test_insulation_that_no_bms_tells_is_refused_unless_accepted(pylontech):
    text = pylontech.paths[1].read_text()
    pylontech.paths[1].write_text(
        "\n".join([line for line in text.split("\n") if "insulation" not in line])
    )
    assert pylontech.refusal() == (
        "pylontech/cabinet.toml:not_fitted.insulation: is missing: row 37 (C61-C62) is not armed "
        "on rack 1, no device "
        "tells it; allowed who accepted it, when (YYYY-MM-DD) and why, on one line of ASCII"
    )


# -- what the BMS keeps to itself: done by its own protections, or by nobody


def test_each_stage_that_a_bms_may_keep_to_itself_is_in_one_of_the_tables(pylontech):
    """Decided per stage: nobody else's work is called the BMS's because a rule said so."""
    pylontech.replace("site", 'offgas = "', 'offgas_2 = "').replace(
        "type", '"offgas",', '"offgas", "offgas_2",'
    )
    pylontech.append(
        "type",
        '[device.offgas_1]\nrole = "offgas_1"\nprofile = '
        '"offgas_detector"\nbus = "gas"\n'
        "unit_id = 3",
    )
    found = {
        stage: state
        for stage, (state, *_) in {
            stage: next(iter(each)) for stage, each in states(pylontech.load()).items()
        }.items()
    }
    by_bms = {stage for stage, state in found.items() if state == stage_states.BY_BMS}
    nobody = {stage for stage, state in found.items() if state == stage_states.NOT_TOLD}
    assert (
        by_bms
        == {name for name, stage in records.STAGES.items() if stage.by_bms}
        == words("18a 18b 19a 19b 20a 20b 21a 25a 25b 27 28 29 31a 31b 32 33")
    )
    assert (
        nobody
        == {name for name, stage in records.STAGES.items() if stage.by_nobody}
        == words("8c 21b 22 23a 23b 24 26a 26b 34a 34b 34c 45a 45b 45c 45d 53")
    )


def test_every_stage_that_compares_needs_more_than_one_to_compare():
    """What the records call a comparison, the check of how many there are knows."""
    for stage in matrix.STAGES:
        why = records.STAGES[stage[matrix.S_ID]].by_nobody
        compares = "with each other" in why or "with its rack" in why
        assert bool(records.feature(stage).compares) == compares


@pytest.mark.parametrize(
    "name, rows",
    [
        ("bms_cells", (24, 34)),
        ("bms_temperatures", (21, 22, 23, 26, 45, 53)),
        ("bms_sensors", (45,)),
    ],
)
def test_what_no_bms_tells_is_refused_unless_accepted(pylontech, name, rows):
    """One line that names every row of it; row 8 is not among them where no vapour detector is
    fitted.
    """
    text = pylontech.paths[1].read_text()
    pylontech.paths[1].write_text(
        "\n".join([line for line in text.split("\n") if not line.startswith(name)])
    )
    assert pylontech.refusal() == (
        f"pylontech/cabinet.toml:not_fitted.{name}: is missing: {equipment.with_clauses(rows)} "
        f"{'are' if len(rows) > 1 else 'is'} not armed on rack 1, no device tells it; allowed who "
        f"accepted it, when "
        "(YYYY-MM-DD) and why, on one line of ASCII"
    )
    _, lines = config.survey(pylontech.paths[2])
    assert len(lines) == 1, "matrix --site names it and goes on"
    assert set(rows) <= set(equipment.rows_of(name))


def test_only_racks_whose_bms_does_not_tell_are_named(files):
    files.replace(
        "type",
        'profile = "firebreak_rack"\nbus = "can0"\nnode = 3',
        'profile = "pylontech_lv"\nbus = "can1"',
    )
    files.append("type", '[bus.can1]\nkind = "can"\nbitrate_bps = 500000\n')
    files.append("cabinet", '[bus.can1]\ninterface = "socketcan"\nchannel = "can1"')
    files.append(
        "site",
        f'[not_fitted]\ninsulation = "{WHO}"\nbms_temperatures = "{WHO}"\nbms_sensors = "{WHO}"',
    )
    assert (
        "not_fitted.bms_cells: is missing: row 24 (C29) and row 34 (C80) are not armed on rack 3"
    ) in files.refusal()
    loaded = files.append("site", f'bms_cells = "{WHO}"').load()
    assert states(loaded)["34a"] == {(stage_states.ARMED, ""), (stage_states.NOT_TOLD, "bms_cells")}
    assert states(loaded)["29"] == {(stage_states.ARMED, ""), (stage_states.BY_BMS, "")}
    assert armed(loaded)["29"] == armed(loaded)["34a"] == {0, 1}


# -- row 46 and the second channel


@pytest.mark.parametrize(
    "missing, derate, expected",
    [
        ([], "false", ["BY_PANEL", "NOT_ASKED", "BY_PANEL"]),
        ([], "true", ["BY_PANEL"] * 3),
        (["supervised"], "false", ["ARMED", "NOT_ASKED", "ARMED"]),
        (["supervised"], "true", ["ARMED"] * 3),
        (["noc"], "true", ["BY_PANEL"] * 3),
        (["supervised", "noc"], "false", ["NOT_FITTED"] * 3),
    ],
)
def test_row_46(files, missing, derate, expected):
    loaded = without(
        files.replace("type", "noc_derate = false", f"noc_derate = {derate}"), missing
    ).load()
    found = states(loaded)
    for stage, name in zip(("46a", "46b", "46c"), expected):
        assert {state for state, _ in found[stage]} == {getattr(stage_states, name)}
        assert armed(loaded)[stage] == {int(name in ("ARMED", "BY_PANEL"))}, (
            "its contact may open again"
        )


def test_a_source_of_hints_is_the_operations_centre(files):
    assert files.load().noc_source == -1, (
        "the fire panel's path is supervised, so nobody else has to be named"
    )
    loaded = without(files, ["supervised"]).load()
    assert [source.name for source in loaded.sources][loaded.noc_source] == "site_ems"
    files.replace("type", 'noc_source = "site_ems"', 'noc_source = "site_em"')
    assert files.refusal() == (
        'types/firebreak_645.toml:hma.noc_source: "site_em" is not '
        "allowed; allowed scheduler, "
        'site_ems; nearest key "site_ems"'
    )
    files.replace("type", 'noc_source = "site_em"\n', "")
    assert files.refusal() == (
        "example/cabinet.toml:hma.noc_source: is missing: row 46 (D4, A42) watches its heartbeat; "
        "allowed the name of "
        "a source of hints, or supervised_ok of the fire panel, or not_fitted.noc"
    )


def test_a_site_may_ask_for_the_derate_but_not_take_it_back(files):
    files.append("site", "[hma]\nnoc_derate = true")
    assert files.load().hma["noc_derate"] is True
    files.append("cabinet", "[hma]\nnoc_derate = false")
    assert "hma.noc_derate: false is not allowed, it is looser than true" in files.refusal()


def test_the_second_channel_arms_row_51_and_needs_no_rows_in_wire(files):
    files.replace("type", 'second_channel = "none" ', 'second_channel = "fitted" ')
    files.replace("type", "[unit.1]\n", '[channel_b]\nport = "/dev/serial/by-path/b"\n\n[unit.1]\n')
    files.replace("type", "hard_wired_rows = [1, 12, 30, 44]  #", "#")
    files.replace("type", "hard_wired_accepted =", "# hard_wired_accepted =")
    loaded = files.load()
    assert armed(loaded)["51"] == {1} and loaded.hma["hard_wired_rows"] is None


def second(files, names, said):
    """The cabinet with a second channel and these rows in hard wiring, without this equipment,
    accepted.
    """
    files.replace("type", 'second_channel = "none" ', 'second_channel = "fitted" ')
    files.replace("type", "[unit.1]\n", '[channel_b]\nport = "/dev/serial/by-path/b"\n\n[unit.1]\n')
    rows = f"hard_wired_rows = {said}" if said is not None else "# hard_wired_rows"
    files.replace("type", "hard_wired_rows = [1, 12, 30, 44]", rows)
    if "gas" in names:
        files.replace("type", 'explosion_control = "both"', 'explosion_control = "68"')
        files.replace("type", "\ngas_required_by = ", "\n# gas_required_by = ")
    return files.append(
        "site", "[not_fitted]\n" + "\n".join([f'{name} = "{WHO}"' for name in names])
    )


def test_a_contact_of_the_bms_that_is_missing_by_mistake_is_named_as_before(files):
    _, lines = config.survey(
        second(files, [], None).replace("type", '"bms_fault_ok"', '""').paths[2]
    )
    assert len(lines) == 1 and '"bms_fault_ok" is not mapped' in lines[0]


@pytest.mark.parametrize("said", (None, "[30]"))
@pytest.mark.parametrize(
    "names",
    [
        [name for bit, name in enumerate(("gas", "cell_voltage", "bms_fault")) if number >> bit & 1]
        for number in range(8)
    ],
)
def test_every_row_that_must_act_without_the_controller_does(files, names, said):
    """In the second channel, as it arms itself from the limit image, or by wire as the site
    says.
    """
    try:
        loaded = second(files, names, said).load()
    except config.ConfigError:
        return
    own = si.own_image(loaded.safety_image)
    cabinet = [stage for stage in matrix.STAGES if stage[matrix.S_SCOPE] == signals.CABINET]
    seen = {
        stage[matrix.S_ID]
        for stage, word in zip(cabinet, own[si.image_map_of(own).armed :])
        if word
    }
    act = {matrix.STAGES[IDS.index(stage)][matrix.S_ROW] for stage in seen} | set(
        loaded.hma["hard_wired_rows"] or ()
    )
    act |= {30} if "40e" in seen else set()
    assert (
        {1, 44} <= act and ("gas" in names or 12 in act) and ("cell_voltage" in names or 30 in act)
    )


def test_the_second_channel_has_a_wire_of_its_own(files):
    wire = "/dev/serial/by-path/platform-xhci-usb-0:1.3:1.0-port0"
    bus = next(bus.name for bus in files.load().buses if bus.port == wire)
    files.replace("type", 'second_channel = "none" ', 'second_channel = "fitted" ')
    files.append("cabinet", f'[channel_b]\nport = "{wire}"')
    assert (
        files.refusal() == f'example/cabinet.toml:channel_b.port: "{wire}" is not allowed; '
        f"allowed a wire of its own (bus.{bus} has this one)"
    )
    files.replace(
        "cabinet", f'[channel_b]\nport = "{wire}"', f'[channel_b]\nport = "/dev/..{wire}"'
    )
    assert files.refusal().endswith(
        f" is not allowed; allowed a wire of its own (bus.{bus} has this one)"
    )


def unloaded(monkeypatch):
    """Nothing of how busy the buses are: those of the example are too slow for the shortest
    expiries.
    """
    monkeypatch.setattr(config.bus_times, "check", lambda values, found: None)


def paced(files, tick_ms, expiry_ms):
    """The cabinet with a second channel, this tick, and outputs that expire in time."""
    files.replace("type", 'second_channel = "none" ', 'second_channel = "fitted" ')
    files.append("cabinet", '[channel_b]\nport = "/dev/serial/by-path/b"')
    files.replace("type", "tick_ms = 20 ", f"tick_ms = {tick_ms} ")
    files.replace("type", "permit_expiry_ms = 500 ", f"permit_expiry_ms = {expiry_ms} ")
    text = (
        (profiles.FOLDER / "io_8in_8out.toml")
        .read_text()
        .replace("expiry_ms = 500 ", f"expiry_ms = {expiry_ms} ")
    )
    (files.paths[0].parent / "io.toml").write_text(text)
    return files.replace("type", 'profile = "io_8in_8out"', 'profile = "io.toml"')


LOST = "the second channel's permit has to outlast 3 lost frames in a row, one every 2 ticks"


@pytest.mark.parametrize(
    "tick_ms, expiry_ms", [(10, 100), (10, 101), (20, 200), (20, 201), (40, 400), (50, 500)]
)
def test_a_second_channel_whose_permit_outlasts_three_lost_frames_is_accepted(
    files, monkeypatch, tick_ms, expiry_ms
):
    unloaded(monkeypatch)
    assert (
        after_lost(paced(files, tick_ms, expiry_ms).load(), cross_checks.LOST_FRAMES_MIN) == peer.OK
    )


@pytest.mark.parametrize(
    "tick_ms, expiry_ms, line",
    [
        (10, 99, "permit_expiry_ms: 99 is not allowed; allowed 100..500 with tick_ms = 10"),
        (20, 199, "permit_expiry_ms: 199 is not allowed; allowed 200..500 with tick_ms = 20"),
        (20, 80, "permit_expiry_ms: 80 is not allowed; allowed 200..500 with tick_ms = 20"),
        (20, 40, "permit_expiry_ms: 40 is not allowed; allowed 200..500 with tick_ms = 20"),
        (50, 499, "permit_expiry_ms: 499 is not allowed; allowed 500..500 with tick_ms = 50"),
        (100, 500, "tick_ms: 100 is not allowed; allowed 10, 20, 25, 40, 50"),
        (100, 80, "tick_ms: 100 is not allowed; allowed 10, 20, 25, 40, 50"),
    ],
)
def test_a_second_channel_whose_permit_falls_with_a_few_frames_is_refused(
    files, monkeypatch, tick_ms, expiry_ms, line
):
    assert paced(files, tick_ms, expiry_ms).refusal() == (
        f"types/firebreak_645.toml:cabinet.{line}: {LOST}"
    )
    monkeypatch.setattr(cross_checks, "EXPIRY_TICKS_MIN", 0)
    unloaded(monkeypatch)
    assert after_lost(files.load(), cross_checks.LOST_FRAMES_MIN) in (
        peer.SILENT,
        peer.NOT_HEARD,
    ), "it would not have held"


@pytest.mark.parametrize(
    "tick_ms, baud_Bd, allowed",
    [
        (20, 9600, "19200, 38400, 57600, 115200"),
        (20, 1200, "19200, 38400, 57600, 115200"),
        (10, 19_200, "38400, 57600, 115200"),
        (20, 19_200, None),
        (10, 38_400, None),
        (25, 9600, None),
    ],
)
def test_a_line_to_the_second_channel_carries_a_frame_before_the_next_is_due(
    files, monkeypatch, tick_ms, baud_Bd, allowed
):
    """48 bytes of ten bits every two ticks: at 9600 Bd they take 50 ms."""
    unloaded(monkeypatch)
    paced(files, tick_ms, 500).append("cabinet", f"baud_Bd = {baud_Bd}")
    if allowed is None:
        assert files.load().channel_b.baud_Bd == baud_Bd
    else:
        assert files.refusal() == (
            f"example/cabinet.toml:channel_b.baud_Bd: {baud_Bd} is not "
            f"allowed; allowed "
            f"{allowed}: 48 bytes every {2 * tick_ms} ms"
        )


@pytest.mark.parametrize("tick_ms, expiry_ms", [(100, 500), (20, 100)])
def test_without_a_second_channel_no_frame_is_lost(files, monkeypatch, tick_ms, expiry_ms):
    unloaded(monkeypatch)
    paced(files, tick_ms, expiry_ms).replace(
        "type", 'second_channel = "fitted" ', 'second_channel = "none" '
    )
    files.replace("cabinet", '[channel_b]\nport = "/dev/serial/by-path/b"', "")
    assert files.load().tick_ms == tick_ms


def after_lost(loaded, frames):
    """What a channel says of the other (safety/peer.py) in the tick before a frame that follows so
    many lost ones.
    """
    image, receiver = loaded.safety_image, channel.Receiver(channel.CHANNEL_A)
    one = peer.Peer(image, loaded.image_map(), receiver, 1, 2)
    sender = channel.Sender(channel.CHANNEL_A, 1, 2)
    said = peer.NOT_HEARD
    for each in range(2 + frames):  # the first is only a beginning
        if each < 2 and receiver.feed(sender.finish(), channel.FRAME_BYTES):
            one.heard()
        for _ in range(channel.FRAME_EVERY_TICKS):
            sender.tick(1)
            one.update(1, 0, 0)
            said = one.reason
    return said


def test_a_row_that_is_not_fitted_need_not_be_in_wire(files):
    assert without(files, ["gas", "cell_voltage"]).load().hma["hard_wired_rows"] == [1, 44]


@pytest.mark.parametrize("channel", ("none", "fitted"))
def test_what_the_table_has_in_hard_wiring_besides_may_be_named(files, channel):
    rows = [2, 36] if channel == "fitted" else [1, 2, 12, 30, 36, 44]
    if channel == "fitted":
        second(files, ["suppression"], rows)
    else:
        without(files, ["suppression"]).replace("type", "= [1, 12, 30, 44]", f"= {rows}")
    assert wired.rows(files.load()) == rows
    files.replace("type", f"hard_wired_rows = {rows}", f"hard_wired_rows = {[3, *rows]}")
    assert files.refusal() == (
        f"types/firebreak_645.toml:hma.hard_wired_rows: {[3, *rows]} is not allowed; allowed "
        f"{rows}: "
        "row 3 (A32, A34, D1) has no contact to act by, as not_fitted.suppression says"
    )


# -- counts that follow from what is there


@pytest.mark.parametrize(
    "missing, key, value",
    [
        ([], "offgas_detectors", 2),
        (["offgas_2"], "offgas_detectors", 1),
        (["offgas"], "offgas_detectors", 0),
        ([], "smoke_zones", 2),
        (["smoke_2"], "smoke_zones", 1),
        (["smoke"], "smoke_zones", 0),
        (["heat"], "heat_fitted", 0),
        (["toxic"], "toxic_fitted", 0),
        (["climate"], "climate_fitted", 0),
        (["ups"], "ups_fitted", 0),
        (["supervised"], "supervised_fitted", 0),
        (["gas"], "gas_required", 1),
        (["gas", "offgas"], "gas_required", 1),
        (["gas", "offgas", "toxic"], "gas_required", 0),
        (["door"], "door_fitted", 0),
    ],
)
def test_counts_follow_from_what_is_fitted(files, missing, key, value):
    assert without(files, missing).load().cabinet[key] == value


def test_two_detectors_of_fire_make_row_5(files):
    loaded = without(files, ["smoke_2"]).load()
    assert armed(loaded)["5"] == {1}, "smoke and heat"
    loaded = files.append("site", f'heat = "{WHO}"').load()
    assert (armed(loaded)["4"], armed(loaded)["5"]) == ({1}, {0})


def test_suspicion_needs_two_signs(pylontech):
    assert states(pylontech.load())["53"] == {(stage_states.NOT_TOLD, "bms_temperatures")}
    text = pylontech.paths[1].read_text()
    pylontech.paths[1].write_text(
        "\n".join([line for line in text.split("\n") if not line.startswith("offgas")])
    )
    pylontech.append(
        "type",
        '[device.offgas_1]\nrole = "offgas_1"\nprofile = '
        '"offgas_detector"\nbus = "gas"\n'
        'unit_id = 3\n[device.offgas_2]\nrole = "offgas_2"\nprofile = '
        '"offgas_detector"\nbus = "gas"\n'
        "unit_id = 4",
    )
    assert states(pylontech.load())["53"] == {(stage_states.NOT_TOLD, "bms_temperatures")}, (
        "vapour alone agrees with nothing"
    )
    text = pylontech.paths[1].read_text()
    pylontech.paths[1].write_text(
        "\n".join([line for line in text.split("\n") if not line.startswith("toxic")])
    )
    pylontech.append(
        "type",
        '[device.toxic]\nrole = "toxic"\nprofile = "toxic_detector"\nbus = "gas"\nunit_id = 5',
    )
    assert states(pylontech.load())["53"] == {(stage_states.ARMED, "")}


def test_gas_beside_an_open_door_needs_gas_detection(files):
    assert armed(without(files, ["gas", "offgas", "toxic"]).load())["48b"] == {0}


def test_heating_beside_vapour_needs_module_temperatures(files, pylontech):
    text = pylontech.paths[1].read_text()
    assert "offgas" in text
    pylontech.paths[1].write_text(
        "\n".join([line for line in text.split("\n") if not line.startswith("offgas")])
    )
    pylontech.append(
        "type",
        '[device.offgas_1]\nrole = "offgas_1"\nprofile = '
        '"offgas_detector"\nbus = "gas"\n'
        'unit_id = 3\n[device.offgas_2]\nrole = "offgas_2"\nprofile = '
        '"offgas_detector"\nbus = "gas"\n'
        "unit_id = 4",
    )
    found = states(pylontech.load())
    assert found["8c"] == {(stage_states.NOT_TOLD, "bms_temperatures")} and found["8a"] == found[
        "8b"
    ] == {(stage_states.ARMED, "")}


# -- [hma]


def test_without_gas_detection_no_flammable_limit_is_needed(files):
    for key in hma.SOURCED:
        files.replace("type", f"\n{key} = ", f"\n# {key} = ")
    loaded = without(files, ["gas"]).load()
    assert [loaded.hma[key] for key in hma.WITH_GAS] == [None] * 3


@pytest.mark.parametrize("missing", [["gas"], ["gas", "toxic"], ["gas", "offgas"]])
def test_row_14_is_armed_for_detection_of_vapour_or_hydrogen_alone(files, missing):
    """A cabinet that lost all of it ran on at half power (row 13). Whether an analysis asks for it
    does not matter.
    """
    loaded = without(files, missing).load()
    assert states(loaded)["14"] == {(stage_states.ARMED, "")} and armed(loaded)["14"] == {1}
    assert loaded.cabinet["gas_required"] == 1


def test_a_site_may_count_on_a_lower_flammable_limit_only(files):
    files.append("site", '[hma]\nlfl_vol_ppm = 50000\nlfl_source = "UL 9540A report 77"')
    loaded = files.load()
    assert (loaded.hma["lfl_vol_ppm"], loaded.hma["lfl_source"]) == (50_000, "UL 9540A report 77")
    files.append("cabinet", "[hma]\nlfl_vol_ppm = 55000")
    assert "hma.lfl_vol_ppm: 55000 is not allowed, it is looser than 50000" in files.refusal()


def test_a_limit_that_the_type_leaves_open_is_the_sites(files):
    for key in ("lfl_vol_ppm", "lfl_source"):
        files.replace("type", f"\n{key} = ", f"\n# {key} = ")
    files.append("site", '[hma]\nlfl_vol_ppm = 70000\nlfl_source = "UL 9540A report 77"')
    assert files.load().hma["lfl_vol_ppm"] == 70_000


def test_a_site_may_name_an_analysis_of_its_own(files):
    files.append("site", '[hma]\nreport = "HMA 12, 2026-03-01"')
    assert files.load().hma["report"] == "HMA 12, 2026-03-01"
    files.append("cabinet", '[hma]\nchemistry = "NMC"')
    assert 'hma.chemistry: "NMC" is not allowed, it differs from "LFP"' in files.refusal()


# -- the fan and the agent


def test_the_fan_waits_for_the_agent_only_where_somebody_says_why(files):
    files.replace("type", "agent_hold_off_ms = 0 ", "agent_hold_off_ms = 30000 ")
    assert files.refusal() == (
        "example/cabinet.toml:hma.agent_hold_off_reason: is missing: after "
        "row 3 the fan waits "
        "30000 ms (A32, D1, D2); allowed why the fan waits for the agent, "
        "on one line of ASCII"
    )
    files.append(
        "site", '[hma]\nagent_hold_off_reason = "HMA 12, section 4: clean agent needs 30 s"'
    )
    assert files.load().cabinet["agent_hold_off_ms"] == 30_000
    files.append("site", "[cabinet]\nagent_hold_off_ms = 30001")
    assert "agent_hold_off_ms: 30001 is not allowed, it is looser than 30000" in files.refusal()


# -- chemistry


def nmc(files):
    """The default cabinet with NMC cells; its tapers are the defaults."""
    files.replace("type", 'chemistry = "LFP" ', 'chemistry = "NMC" ')
    text = files.paths[0].read_text()
    files.paths[0].write_text(
        "\n".join(
            [
                line
                for line in text.split("\n")
                if "taper_mV =" not in line and "_end_mV =" not in line
            ]
        )
    )
    return files


def test_nmc_cells_have_other_thresholds(files):
    loaded = nmc(files).load()
    changed = {name: (level, clear) for name, level, clear in matrix.NMC_THRESHOLDS}
    for stage in matrix.STAGES:
        name = stage[matrix.S_ID]
        if name not in schema.STAGE_SET_FROM:
            expected = changed.get(name, (stage[matrix.S_SET], stage[matrix.S_CLEAR]))
            assert loaded.stage_words[name][:2] == expected, name
    tapers = ("charge_taper_mV", "charge_end_mV", "discharge_taper_mV", "discharge_end_mV")
    assert [loaded.rack_tables[2][key] for key in tapers] == [4100, 4200, 3200, 3000]


@pytest.mark.parametrize(
    "key, value, accepted",
    [
        ("set", 4250, True),
        ("set", 4251, False),
        ("set", 4201, True),
        ("set", 4200, False),
        ("clear", 4151, False),
    ],
)
def test_nmc_cells_tighten_from_their_own_values(files, key, value, accepted):
    files = nmc(files).append("site", f"[stage.29]\n{key} = {value}")
    if accepted:
        assert files.load().stage_words["29"][0] == value
    else:
        assert f"stage.29.{key}: {value} ({value / 1000:g} V) is not allowed" in files.refusal()


# -- thresholds: only tighter, in order


def tightened(stage):
    """(key, the loosest value, one beyond it, the tightest, one beyond it) of set and clear of a
    stage.
    """
    found = []
    for key in ("set", "clear"):
        spec = schema.STAGE[stage][key]
        if spec.kind != "derived" and spec.allowed[0] != spec.allowed[1]:
            low, high = spec.allowed
            loose, tight = (high, low) if spec.tighter == "down" else (low, high)
            step = 1 if spec.tighter == "down" else -1
            found.append((key, loose, loose + step, tight, tight - step))
    return found


@pytest.mark.parametrize("stage", [name for name in IDS if tightened(name)])
def test_the_bounds_of_a_threshold(files, stage):
    for key, _, beyond_loose, _, beyond_tight in tightened(stage):
        for value in (beyond_loose, beyond_tight):
            refusal = (
                SiteFiles(files.paths[0].parents[1] / f"{key}{value}")
                .append("site", f"[stage.{stage}]\n{key} = {value}")
                .refusal()
            )
            spec = schema.STAGE[stage][key]
            said, allowed = in_unit(value, spec.unit), allowed_text(spec)
            assert f"stage.{stage}.{key}: {said} is not allowed; allowed {allowed}" in refusal
            assert spec.unit[1] in refusal


@pytest.mark.parametrize("stage", IDS)
@pytest.mark.parametrize("key", ["set", "clear"])
def test_a_tenth_of_what_is_meant_is_never_a_threshold(stage, key):
    """For all that may be meant, and for what is up to 2.5 times too loose; nothing else is lost
    than that.
    """
    spec = schema.STAGE[stage][key]
    if spec.unit is not None and spec.unit[0] > 1 and spec.tighter == "down":
        assert 0 < spec.default * 2.5 / 10 <= spec.allowed[0] <= max(spec.default / 4 + 1, 2000)


def test_what_can_be_tightened():
    """Every threshold with a unit; what counts things, says yes or no, or follows from a parameter
    stays.
    """
    features = {
        matrix.FEATURES[stage[matrix.S_SCOPE]][stage[matrix.S_FEATURE]]
        for stage in matrix.STAGES
        if tightened(stage[matrix.S_ID])
    }
    assert features == words(
        "offgas_ppm_max offgas_ppm_second toxic_ppm toxic_rise_ppm gas_lfl_permille_max "
        "gas_calibration_d_min air_temperature_ddegC humidity_permille ups_reserve_min "
        "cpu_temperature_ddegC noc_lost_s bus_mismatch_mV temperature_ddegC_max "
        "temperature_over_median_ddegC temperature_unexplained_ddegC "
        "temperature_rise_10s_ddegC temperature_rise_3s_ddegC cell_voltage_drop_mV "
        "temperature_ddegC_min temperature_spread_ddegC cell_voltage_mV_max "
        "cell_voltage_mV_min cell_spread_mV insulation_ohm_per_V runaway_suspicion_pct"
    )


def test_the_ladders():
    pairs = {(low[matrix.S_ID], high[matrix.S_ID]) for low, high in stage_order.ladders(schema.LFP)}
    for pair in (
        ("27", "28"),
        ("28", "29"),
        ("34a", "34b"),
        ("34b", "34c"),
        ("31a", "31b"),
        ("31b", "32"),
        ("32", "33"),
        ("11", "12a"),
        ("9", "10a"),
        ("17b", "17c"),
        ("26a", "26b"),
        ("37a", "37b"),
        ("43b", "43c"),
        ("19a", "20a"),
        ("20b", "21a"),
        ("25a", "25b"),
    ):
        assert pair in pairs and pair[::-1] not in pairs
    assert not [pair for pair in pairs if set(pair) & {"49", "50a", "50b", "52"}]


def test_the_ladder_blames_what_was_said_last(files):
    files.append(
        "site",
        "[stage.34b]\nset = 150\nclear = 100\n[stage.34c]\nset = 160\nclear = "
        "100\n"
        "[stage.34a]\nset = 90",
    )
    assert files.load().stage_words["34c"][0] == 160
    files.append("cabinet", "[stage.34b]\nset = 90\nclear = 60")
    assert files.refusal() == (
        "example/cabinet.toml:stage.34b.set: 90 mV is not allowed; allowed "
        "above the set of "
        "stage 34a, which is 90 mV"
    )


def test_a_milder_stage_said_last_is_blamed(files):
    """27 cannot come after 28 by any value of its own: only 28 moves, and a later layer that says
    27 again is named.
    """
    files.append(
        "site",
        "[stage.27]\nset = 3500\n[stage.28]\nset = 3540\nclear = 3500\n"
        "[rack.all]\ncharge_end_mV = 3540",
    )
    files.append("cabinet", "[stage.27]\nset = 3500")
    assert files.load().stage_words["28"][0] == 3540
    files.replace("site", "set = 3540", "set = 3500").replace(
        "site", "clear = 3500", "clear = 3400"
    )
    assert files.refusal() == (
        "example/cabinet.toml:stage.27.set: 3500 (3.5 V) is not allowed; "
        "allowed below the "
        "set of stage 28, which is 3500 (3.5 V)"
    )


# -- facts of the rack, silences


@pytest.mark.parametrize("value_mA, accepted", [(139_999, False), (140_000, True)])
def test_a_contactor_breaks_what_its_rack_carries(files, value_mA, accepted):
    files.append("site", f"[rack.all]\nbreak_current_mA = {value_mA}")
    if accepted:
        assert files.load().rack_tables[0]["break_current_mA"] == value_mA
    else:
        assert (
            f"rack.all.break_current_mA: {value_mA} is not allowed; allowed rated_current_mA "
            f"and more, which is "
            "140000" in files.refusal()
        )


@pytest.mark.parametrize(
    "role, key, longest_ms",
    [
        ("offgas_2", "gas_silent_ms", 3333),
        ("toxic", "gas_silent_ms", 3333),
        ("climate", "monitor_silent_ms", 3333),
        ("ups", "monitor_silent_ms", 3333),
        ("io_3", "io_silent_ms", 166),
    ],
)
def test_silence_budgets_of_the_new_devices(files, role, key, longest_ms):
    """Three periods: gas and monitors at most 10 s, an I/O module at most 0.5 s."""
    old = f'role = "{role}"'
    if role == "io_3":
        files.replace("type", "\nperiod_ms = 100\n", "\n")
    files.replace("type", old, f"{old}\nperiod_ms = {longest_ms}")
    assert files.load().cabinet[key] >= 3 * longest_ms
    files.replace("type", f"period_ms = {longest_ms}", f"period_ms = {longest_ms + 1}")
    assert (
        f"device.{role}.profile: its period of {longest_ms + 1} ms is slower than its silence "
        f"budget {key}" in files.refusal()
    )


@pytest.mark.parametrize(
    "value_ms, accepted", [(2999, False), (3000, True), (10_000, True), (10_001, False)]
)
def test_the_silence_of_monitors_moves_row_52(files, value_ms, accepted):
    files.append("site", f"[cabinet]\nmonitor_silent_ms = {value_ms}")
    if accepted:
        loaded = files.load()
        assert loaded.stage_words["52"][:2] == (value_ms, value_ms // 2)
    else:
        assert f"cabinet.monitor_silent_ms: {value_ms} is not allowed" in files.refusal()


# -- the tables themselves


def test_every_contact_belongs_to_somebody():
    """Each contact is always there, or equipment that can be left out; each equipment has its
    row.
    """
    always = words("estop_1_ok estop_2_ok fire_alarm_ok key_run_ok permit_1_closed permit_2_closed")
    for name in [name for names in schema.INPUT_NAMES.values() for name in names]:
        assert bool(equipment.of_signal(name)) != (name in always), name
    for name in EQUIPMENT:
        assert equipment.rows_of(name), name
    roles = [role for one in EQUIPMENT.values() for role in one.roles]
    assert set(roles) < set(schema.ROLES)


def test_every_feature_of_the_cabinet_is_always_there_or_somebodys():
    own = {
        records.feature_name(stage)
        for stage in matrix.STAGES
        if stage[matrix.S_SCOPE] == signals.CABINET
        for each in [records.feature(stage)]
        if not {*each.equipment, *each.one_of, *each.votes} & set(EQUIPMENT)
    }
    assert own == words(
        "estop_1_ok estop_2_ok estop_discrepancy fire_alarm_ok closing_failures "
        "image_changed step_late_ms boot_not_clean boot_store_unreadable self_test_bits "
        "cpu_temperature_ddegC key_run_ok io_silence_ms meter_silence_ms meter_frozen_ms "
        "peer_code"
    )


@pytest.mark.parametrize("name", ("example", "pylontech"))
def test_the_examples_are_accepted(name):
    loaded = config.load(SITES / name / "cabinet.toml")
    for stage, index in stage_states.instances(loaded.topology):
        state, lacks = stage_states.stage_state(stage, loaded.topology, index)
        assert state not in stage_states.TO_ACCEPT or stage_states.accepted(loaded.topology, lacks)
