"""Cell temperatures: rows 18 to 23, 25 and 26; suspicion of a thermal runaway: row 53."""

from controller.rows.shapes import BMS, BMS_TOOL, COLD, COMPUTED, HOT, Feature, Row, Stage

MODULES = "modules are compared with each other"
RISE = "the stage follows a rise, long before a value of a BMS protection"
TAPER = "the taper is a limit that always acts, not a demand of the stage: see the tapers"
FIVE_K = "5 K lower, as in C20: the value of the table is 5 K looser"
TWO_SAMPLES = "1.5 s are two samples of the rise, so one wrong reading does not latch"
FEATURES = {
    "temperature_ddegC_max": Feature(
        "hottest module",
        BMS_TOOL,
        bms="bms_temperatures",
        roles=("bms",),
        sensor="cell temperature",
    ),
    "temperature_over_median_ddegC": Feature(
        "hottest module over the median",
        BMS_TOOL,
        bms="bms_temperatures",
        compares="modules",
        roles=("bms",),
        sensor="cell temperature",
    ),
    "temperature_unexplained_ddegC": Feature(
        "rise in 30 s above the heating by its own current",
        BMS_TOOL,
        bms="bms_temperatures",
        roles=("bms",),
        sensor="cell temperature",
        window_ms=30_000,
        once_a_second=True,
    ),
    "temperature_rise_10s_ddegC": Feature(
        "rise in 10 s",
        BMS_TOOL,
        bms="bms_temperatures",
        roles=("bms",),
        sensor="cell temperature",
        window_ms=10_000,
        once_a_second=True,
    ),
    "temperature_rise_3s_ddegC": Feature(
        "rise in 3 s",
        BMS_TOOL,
        bms="bms_temperatures",
        roles=("bms",),
        sensor="cell temperature",
        window_ms=3000,
        once_a_second=True,
    ),
    "temperature_ddegC_min": Feature(
        "coldest module",
        BMS_TOOL,
        bms="bms_temperatures",
        roles=("bms",),
        sensor="cell temperature",
    ),
    "temperature_spread_ddegC": Feature(
        "hottest minus coldest module",
        BMS_TOOL,
        bms="bms_temperatures",
        compares="modules",
        roles=("bms",),
        sensor="cell temperature",
    ),
    "runaway_suspicion_pct": Feature(
        "sum of the two largest signs of runaway, each in percent of its threshold",
        "two signs of runaway at once, until it trips",
        bms="bms_temperatures",
        roles=("bms",),
        sensor="vapour, toxic gas",
        window_ms=30_000,
        once_a_second=True,
    ),
    "heating_alert": Feature(
        "while row 22 or 23 is active", "with row 22 injected as well", bms="bms_temperatures"
    ),
    "any_sign": Feature("while any of rows 7 to 23 is active", ""),
    "temperature_rising": Feature(
        "while it rises", "while it rises", bms="bms_temperatures", once_a_second=True
    ),
    "charging": Feature("while charging", "while charging"),
    "runaway_hint": Feature(
        "while any of rows 7 to 23 is active", "with another of rows 7 to 23 active"
    ),
}
ROWS = (
    Row(
        18,
        what="cell temperature warning",
        basis="C20-C21",
        confidence="C",
        name="cell warm",
        sentence="A cell is warm; power is reduced.",
        remedy="Check cooling, filters and the room.",
        proof=BMS,
        stages=(
            Stage(
                "18a",
                sentence="A cell is warm while charging.",
                by_bms=HOT,
                read_as={"DRT": TAPER, "cause": FIVE_K},
            ),
            Stage("18b", sentence="A cell is warm.", by_bms=HOT, read_as={"DRT": TAPER}),
        ),
    ),
    Row(
        19,
        what="cell temperature alarm",
        basis="C20-C21",
        confidence="C",
        name="cell hot",
        sentence="A cell is hot; charging stops.",
        remedy="Check cooling; look at the hottest module on page Racks.",
        proof=BMS,
        stages=(
            Stage(
                "19a",
                sentence="A cell is hot: no charging.",
                by_bms=HOT,
                read_as={"DRT": "the discharge half of the row is 19b", "cause": FIVE_K},
            ),
            Stage(
                "19b",
                sentence="A cell is hot: no charging, a quarter of the discharge power.",
                by_bms=HOT,
                read_as={
                    "DRT": (
                        "the table's 25 has two readings; the tighter one applies: 25 % are left "
                        "for discharging"
                    )
                },
            ),
        ),
    ),
    Row(
        20,
        what="cell temperature trip",
        basis="C21",
        confidence="C",
        name="cell too hot",
        sentence="A cell is over its temperature limit.",
        remedy="Let it cool. Check cooling; remote reset.",
        proof=BMS,
        stages=(
            Stage(
                "20a",
                sentence="A cell is over its temperature limit while charging.",
                by_bms=HOT,
                read_as={"cause": FIVE_K},
            ),
            Stage("20b", sentence="A cell is over its temperature limit.", by_bms=HOT),
        ),
    ),
    Row(
        21,
        what="cell temperature runaway suspicion",
        basis="C23, C27",
        confidence="D",
        name="cell runaway temperature",
        sentence="A cell is extremely hot, or far hotter than its rack and rising.",
        remedy="Keep away. Call the fire service; reset with the key after inspection.",
        proof=BMS,
        stages=(
            Stage(
                "21a",
                sentence="A cell is extremely hot.",
                by_bms=f"{HOT}; fan, alarm and fire panel do not follow",
            ),
            Stage(
                "21b",
                sentence="A module is far hotter than its rack and rising.",
                not_by_bms="a module is compared with its rack",
            ),
        ),
    ),
    Row(
        22,
        what="a module heats more than its current explains",
        basis="C28, low authority",
        confidence="C2",
        name="cell heats up",
        sentence="A cell heats up more than its current explains.",
        remedy="Watch its temperature; plan to replace the module.",
        proof=COMPUTED,
        stages=(
            Stage(
                "22",
                not_by_bms="a rise is compared with the heating by the current",
                read_as={"debounce": f"the 30 s are the window of the watched rise; {TWO_SAMPLES}"},
            ),
        ),
    ),
    Row(
        23,
        what="a module heats as in thermal runaway",
        basis="C29, C30",
        confidence="G",
        name="cell heats up fast",
        sentence="A cell heats up as in a thermal runaway.",
        remedy="Keep away. Call the fire service.",
        proof=COMPUTED,
        stages=(
            Stage(
                "23a",
                sentence="A module has heated up as in a thermal runaway for 10 s.",
                not_by_bms=RISE,
                read_as={"debounce": f"the 10 s are the window of the watched rise; {TWO_SAMPLES}"},
            ),
            Stage(
                "23b",
                sentence="A module has heated up very fast for 3 s.",
                not_by_bms=RISE,
                read_as={"debounce": f"the 3 s are the window of the watched rise; {TWO_SAMPLES}"},
            ),
        ),
    ),
    Row(
        25,
        what="cell temperature too low",
        basis="C24",
        confidence="C",
        name="cell cold",
        sentence="A cell is too cold to charge.",
        remedy="Let the heating run.",
        proof=BMS,
        stages=(
            Stage(
                "25a",
                sentence="A cell is too cold to charge.",
                by_bms=COLD,
                read_as={"IDC": "only below -20 degC: stage 25b"},
            ),
            Stage("25b", sentence="A cell is too cold for any power.", by_bms=COLD),
        ),
    ),
    Row(
        26,
        what="temperatures of a rack too far apart",
        basis="C22",
        confidence="C",
        name="temperature spread",
        sentence="The modules of a rack differ too much in temperature.",
        remedy="Check airflow and sensors.",
        proof=COMPUTED,
        stages=(
            Stage(
                "26a", sentence="The modules of a rack differ in temperature.", not_by_bms=MODULES
            ),
            Stage(
                "26b",
                sentence="The modules of a rack differ too much in temperature; the rack is off.",
                remedy="Check airflow and sensors. Remote reset.",
                not_by_bms=MODULES,
            ),
        ),
    ),
    Row(
        53,
        what="two weak signs of runaway together (project: suspicion)",
        basis="C41, C50, design",
        confidence="D",
        name="runaway suspected",
        sentence="Two weak signs of a thermal runaway are present together.",
        remedy="Do not open. Watch temperatures and gas. Remote reset.",
        proof=COMPUTED,
        stages=(
            Stage(
                "53", not_by_bms="the stage adds two weak signs; only this project has such a row"
            ),
        ),
    ),
)
