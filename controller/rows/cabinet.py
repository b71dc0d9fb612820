"""Supply, remote link, key and door: rows 43 and 46 to 48."""

from controller.rows.shapes import (
    AT_ONCE,
    BY_LEVEL_S,
    CONTACT,
    SENSOR,
    YEAR_D,
    YES_NO,
    Equipment,
    Feature,
    Interval,
    Row,
    Stage,
)

FIRST_START = "only at the first start: stage 46c"
COUNTED = "the watched value counts the 900 s"
ON_UPS = "a cabinet on its UPS must still supply the load"
ON_MAINS = "the supply is present and the reserve low: the row acts when the supply is lost, 43a"
FEATURES = {
    "mains_ok": Feature(
        "auxiliary supply lost",
        "switch off the auxiliary supply",
        equipment=("ups",),
        roles=("ups",),
        sensor=AT_ONCE,
    ),
    "ups_reserve_min": Feature(
        "reserve of the UPS",
        "let the UPS run down, or set its reserve in its own menu",
        equipment=("ups",),
        roles=("ups",),
        sensor=AT_ONCE,
        values=("reserve",),
    ),
    "noc_lost_s": Feature(
        "no path to the operations centre",
        "unplug the link; with a supervised path, open its contact too",
        equipment=("noc",),
        contacts=("supervised_ok",),
        silence=BY_LEVEL_S,
    ),
    "noc_unverified": Feature(
        "operations centre never verified",
        "start a new cabinet before the operations centre confirms a test alarm",
        shown=YES_NO,
        equipment=("noc",),
        contacts=("supervised_ok",),
        silence=AT_ONCE,
    ),
    "key_run_ok": Feature(
        "key not in RUN",
        "turn the key out of RUN",
        equipment=("key_run_ok",),
        contacts=("key_run_ok",),
    ),
    "key_discrepancy": Feature(
        "contacts of the key switch contradict each other",
        "with the key in RUN, bridge the contact that closes out of RUN; remove the bridge",
        shown=YES_NO,
        equipment=("key_run_ok", "key_service"),
        contacts=("key_run_ok", "key_service_closed"),
    ),
    "door_ok": Feature("door open", "open the door", equipment=("door",), contacts=("door_ok",)),
    "on_ups": Feature("while on UPS", "with the auxiliary supply off"),
    "energised": Feature("while energised", "with the contactors closed"),
}
EQUIPMENT = {
    "ups": Equipment("UPS monitor", roles=("ups",)),
    "supervised": Equipment("supervised path of the fire panel", inputs=("supervised_ok",)),
    "noc": Equipment("link to the network operations centre"),
    "key_service": Equipment(
        "second contact of the key switch, closed out of RUN", inputs=("key_service_closed",)
    ),
    "door": Equipment("door contact", inputs=("door_ok",)),
}
ROWS = (
    Row(
        43,
        what="auxiliary supply lost, or the reserve of its UPS low",
        basis="A26, A38",
        confidence="G",
        name="auxiliary supply",
        sentence="Auxiliary power is lost, or the UPS monitor does not answer.",
        remedy="Restore auxiliary power.",
        proof=SENSOR,
        stages=(
            Stage(
                "43a",
                sentence="Auxiliary power is lost, or the UPS monitor does not answer.",
                read_as={
                    "PCS": (f"{ON_UPS}: R with the second stage, 43b, S with the third, 43c"),
                    "DC": f"{ON_UPS}: the contactors open with the third stage, 43c",
                    "IDC": f"{ON_UPS}: with the second stage, 43b",
                },
            ),
            Stage(
                "43b",
                sentence="The cabinet runs on its UPS, and the reserve is low; no power.",
                read_as={"DC": "the contactors open with the third stage, 43c"},
            ),
            Stage(
                "43c",
                sentence=(
                    "The cabinet runs on its UPS, and the reserve is nearly empty; the cabinet "
                    "is off."
                ),
                remedy="Restore auxiliary power. Remote reset.",
            ),
            Stage(
                "43d",
                sentence="The reserve of the UPS is too short to keep the monitoring running.",
                remedy="Check or replace the batteries of the UPS.",
                is_added=True,
                read_as={
                    "latch": ON_MAINS,
                    "PCS": ON_MAINS,
                    "DC": ON_MAINS,
                    "ALM": ON_MAINS,
                    "ICH": ON_MAINS,
                    "IDC": ON_MAINS,
                    "NTF": f"only maintenance; {ON_MAINS}",
                },
            ),
        ),
    ),
    Row(
        46,
        what="no supervised path to the network operations centre",
        basis="D4, A42",
        confidence="C2",
        name="remote link lost",
        sentence="The link to the operations centre is lost.",
        remedy="Restore the link.",
        proof=Interval(
            YEAR_D,
            "path to the operations centre: with the yearly test of the panel's transmitter",
            "G",
        ),
        proves="path to the operations centre lost",
        stages=(
            Stage(
                "46a",
                sentence="The link to the operations centre is lost.",
                read_as={
                    "debounce": COUNTED,
                    "DC": FIRST_START,
                    "ICH": FIRST_START,
                    "DRT": "only if the hazard analysis asks for it: stage 46b",
                },
            ),
            Stage(
                "46b",
                sentence=(
                    "The link to the operations centre is lost; half power, as the hazard "
                    "analysis asks."
                ),
                read_as={"debounce": COUNTED, "DC": FIRST_START, "ICH": FIRST_START},
            ),
            Stage(
                "46c",
                sentence="The link to the operations centre was never verified; no first start.",
                remedy="Let the operations centre confirm a test alarm.",
                proof=Interval(
                    YEAR_D, "path to the operations centre: the first start needs the proof", "G"
                ),
                proves="path to the operations centre not verified before the first start",
                read_as={
                    "debounce": (
                        "the first start needs a verified link; a link that was not lost for "
                        "900 s is not enough"
                    ),
                    "DRT": "open contactors carry no power to derate",
                },
            ),
        ),
    ),
    Row(
        47,
        what="key in service",
        basis="D4",
        confidence="C",
        name="service mode",
        sentence="Service mode is selected with the key.",
        remedy="Turn the key to RUN when the work is done, then start the cabinet.",
        proof=CONTACT,
        stages=(
            Stage(
                "47b",
                sentence="The two contacts of the key switch contradict each other.",
                remedy="Check both contacts of the key switch and their wires. Remote reset.",
                is_added=True,
            ),
        ),
    ),
    Row(
        48,
        what="door open while energised, or beside a gas alarm",
        basis="D1",
        confidence="C",
        name="door",
        sentence="The door is open.",
        remedy="Close the door.",
        proof=CONTACT,
        stages=(
            Stage(
                "48a",
                sentence="The door is open while the cabinet is energised.",
                read_as={"FAN": "only with gas: stage 48b", "ALM": "only with gas: stage 48b"},
            ),
            Stage(
                "48b",
                sentence="The door is open while gas is reported.",
                remedy="Keep away. Close the door only if that is safe.",
            ),
        ),
    ),
)
