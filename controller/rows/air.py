"""Ventilation, cooling and water: rows 15 to 17 and 42."""

from controller.rows.shapes import (
    CONTACT,
    LONG_D,
    OPEN_WIRE,
    YEAR_D,
    YES_NO,
    Equipment,
    Feature,
    Interval,
    Row,
    Stage,
)

LOUVRE = "t_louvre is read as 10 s"
STOPPED = "a stopped PCS neither charges nor discharges"
ABOVE_50 = "only above 50 degC: stage 17c"
COOLING = "Check the cooling unit, its filters and the doors."
FEATURES = {
    "airflow_missing": Feature(
        "fan on, no airflow",
        "cover the intake while the fan runs",
        shown=YES_NO,
        equipment=("airflow",),
        contacts=("airflow_ok",),
    ),
    "damper_missing": Feature(
        "fan on, damper not open",
        "hold the damper closed, start the fan",
        shown=YES_NO,
        equipment=("damper",),
        contacts=("damper_ok",),
    ),
    "hvac_ok": Feature(
        "fault contact of the cooling open", OPEN_WIRE, equipment=("hvac",), contacts=("hvac_ok",)
    ),
    "air_temperature_ddegC": Feature(
        "air in the cabinet",
        "warm air at the sensor, measured beside it",
        equipment=("climate",),
        roles=("climate",),
        sensor="air",
        values=("air_temperature",),
    ),
    "leak_ok": Feature(
        "leak contact open", "wet the leak detector", equipment=("leak",), contacts=("leak_ok",)
    ),
    "coolant_ok": Feature(
        "coolant flow or pressure contact open",
        "close a valve of the coolant circuit",
        equipment=("coolant",),
        contacts=("coolant_ok",),
    ),
    "humidity_permille": Feature(
        "relative humidity in the cabinet",
        "damp cloth at the sensor",
        equipment=("climate",),
        roles=("climate",),
        sensor="air",
        values=("humidity",),
    ),
}
EQUIPMENT = {
    "airflow": Equipment("airflow switch", inputs=("airflow_ok",)),
    "damper": Equipment("limit switch of the damper", inputs=("damper_ok",)),
    "hvac": Equipment("fault contact of the cooling", inputs=("hvac_ok",)),
    "climate": Equipment("air temperature and humidity", roles=("climate",)),
    "leak": Equipment("leak detector", inputs=("leak_ok",)),
    "coolant": Equipment("coolant flow and pressure switch", inputs=("coolant_ok",)),
}
ROWS = (
    Row(
        15,
        what="fan commanded but no proof of airflow",
        basis="A24",
        confidence="C",
        name="no airflow",
        sentence="The fan is on but no air flows.",
        remedy="Check the fan, its fuse and belt, the louvre and the airflow switch.",
        proof=CONTACT,
        stages=(
            Stage(
                "15a",
                read_as={
                    "FAN": (
                        "on while the row is latched: a fan that is off does not show whether it "
                        "can run again"
                    ),
                    "DC": "only with a gas or smoke alert: stage 15b",
                },
            ),
            Stage(
                "15b",
                sentence="The fan is on but no air flows, while gas or smoke is reported.",
                remedy="Do not open. Check the fan from outside; call the fire service.",
                read_as={"IDC": STOPPED, "DRT": "15a has it, and is always active with 15b"},
            ),
        ),
    ),
    Row(
        16,
        what="fan commanded but the damper is not proven open",
        basis="A29",
        confidence="C2",
        name="louvre not open",
        sentence="The fan is on but the louvre is not open.",
        remedy="Check louvre and actuator.",
        proof=CONTACT,
        stages=(
            Stage(
                "16a",
                read_as={"debounce": LOUVRE, "DC": "only with a gas or smoke alert: stage 16b"},
            ),
            Stage(
                "16b",
                sentence=(
                    "The fan is on but the louvre is not open, while gas or smoke is reported."
                ),
                remedy="Do not open. Check the louvre from outside; call the fire service.",
                read_as={
                    "debounce": LOUVRE,
                    "IDC": STOPPED,
                    "DRT": "16a has it, and is always active with 16b",
                },
            ),
        ),
    ),
    Row(
        17,
        what="cooling failed, or cabinet air too warm",
        basis="A6",
        confidence="C",
        name="cooling failed",
        sentence="Cooling has failed or the cabinet air is too warm.",
        remedy="Check the cooling unit and filters.",
        proof=Interval(
            LONG_D,
            (
                "fault contact of the cooling, air sensor; the rows of cell temperatures act "
                "after them"
            ),
            "D",
        ),
        stages=(
            Stage(
                "17a",
                sentence="The cooling reports a fault.",
                remedy="Check the cooling unit, its supply and filters.",
                read_as={"PCS": ABOVE_50, "ICH": "only above 45 degC: stage 17b"},
            ),
            Stage(
                "17b",
                sentence="The cabinet air is too warm; no charging.",
                remedy=COOLING,
                read_as={"PCS": ABOVE_50},
            ),
            Stage("17c", sentence="The cabinet air is far too warm; no power.", remedy=COOLING),
        ),
    ),
    Row(
        42,
        what="leak, loss of coolant flow or pressure, or humid air",
        basis="D4-D7",
        confidence="G",
        name="water or coolant",
        sentence="Coolant leaks, or there is water in the cabinet.",
        remedy="Find the leak before a reset.",
        proof=CONTACT,
        proves="leak, or loss of coolant flow or pressure",
        stages=(
            Stage(
                "42a",
                sentence="There is water or coolant on the floor of the cabinet.",
                remedy="Find the leak before a reset.",
            ),
            Stage(
                "42b",
                sentence="Coolant flow or pressure is lost.",
                remedy="Check pump, valves and level. Remote reset.",
            ),
            Stage(
                "42c",
                sentence="The air in the cabinet is humid.",
                remedy="Check seals and the dehumidifier.",
                proof=Interval(YEAR_D, "humidity sensor: no other sensor is compared with it", "D"),
                proves="humid air",
            ),
        ),
    ),
)
