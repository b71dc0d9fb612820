"""The wiring of a cabinet: every terminal, contact, coil and bus that its files name."""

import pytest
from command_line import run

from controller.config import configuration, wired
from controller.documents import document, wiring
from controller.sites import FOLDER
from safety import signals

CABINETS = sorted(FOLDER.glob("*/cabinet.toml"))


@pytest.mark.parametrize("path", CABINETS, ids=lambda path: path.parent.name)
def test_the_page_names_every_terminal_and_device_of_a_shipped_cabinet(capsys, path):
    code, lines, err = run(capsys, "document wiring", path)
    assert (code, err) == (0, []) and max(map(len, lines)) <= 80
    config, text = configuration.load(str(path)), " ".join(" ".join(lines).split())
    for device in config.devices:
        assert f" {device.name} " in text or f"{device.name.upper()} (BUS" in text
        for at, name in enumerate(device.inputs, 1):
            assert f"in {at} {name or 'spare'}" in text
        for at, name in enumerate(device.outputs, 1):
            assert f"out {at} {name or 'spare'}" in text
    for bus in config.buses:
        assert f"BUS {bus.name.upper()}: " in text and (bus.port or bus.channel) in text


def test_a_contact_says_when_it_is_closed_and_a_coil_what_it_does_without_current(files):
    found = wiring.facts(files.load())
    text = " ".join(document.plain(wiring.blocks(found)).split())
    for line in (
        "in 1 estop_1_ok: emergency stop, contact 1; closed while all is well (row 1)",
        "in 5 smoke_1_ok: smoke detectors of both zones; closed while all is well (row 4, 5)",
        "in 7 permit_1_closed: permit relay of the PCS enable; closed while the relay is on in 8",
        "in 6 key_run_ok: key switch; closed in RUN (row 47)",
        "in 6 key_service_closed: second contact of the key switch, closed out of RUN; closed out",
        "in 7 source_code: transfer switch; closed off the grid; without a transfer switch",
        "out 1 pcs_enable_ok: energised: PCS enabled; released: PCS stopped",
        "out 2 !fan_on: energised: fan off; released: fan on",
        "shunt_trip_on: energised: trip of the breaker upstream (energise to trip); released: no",
        "BUS PCS: RS-485, MODBUS RTU, 115200 BD, 8N1 At /dev/",
        "bms_2 node 2 | firebreak_rack",
    ):
        assert line in text, line


def test_the_chain_has_the_rows_of_the_hazard_analysis_with_their_times(files):
    config = files.load()
    found = wiring.facts(config)
    assert [each["row"] for each in found["chain"]] == [1, 2, 3, 12, 30]
    assert found["chain"][0]["supply_latest_ms"] == wired.supply_ms(config, 1)
    text = " ".join(document.plain(wiring.blocks(found)).split())
    assert "2 contactor supply after the off-delay relay: 200 ms, set at commissioning" in text
    assert "outputs expire after 500 ms: PCS enable off within 520 ms, contactors open" in text


def test_every_output_and_contact_has_words():
    names = {name for name, unit in signals.CABINET_OUTPUTS if unit == "bool"}
    inner = {"notify_maintenance", "notify_operator", "obligations_ok", "arm_request"}
    assert set(wiring.OUTPUTS) == names - inner - {"start_needed", "withhold_on"}


def test_a_bus_by_tcp_and_a_second_channel_are_named():
    bus = {"bus": "m", "kind": "tcp", "place": "10.0.0.1:502", "devices": []}
    text = document.plain(wiring._bus_blocks(bus))
    assert "BUS M: MODBUS TCP" in text and "At 10.0.0.1:502." in text
    found = {"channel_b": {"port": "/dev/b", "baud_Bd": 115200}}
    assert "before the off-delay" in document.plain(wiring._channel_b(found))


def test_a_refused_file_is_one_line(capsys, tmp_path):
    code, out, err = run(capsys, "document wiring", tmp_path / "none.toml")
    assert (code, out, len(err)) == (2, [], 1)
