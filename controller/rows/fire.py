"""Emergency stop, fire panel, smoke and suppression: rows 1 to 6."""

from controller.rows.shapes import (
    CONTACT,
    FIRE,
    OPEN_WIRE,
    PANEL,
    YES_NO,
    Equipment,
    Feature,
    Row,
    Stage,
    Wired,
)

BY_PROGRAM = (
    "the program acts, and channel B if one is fitted; without channel B the wiring acts too "
    "(hma.hard_wired_rows), unless the analysis names the exception"
)
FEATURES = {
    "estop_1_ok": Feature(
        "emergency stop, contact 1 open",
        "press the emergency stop; then, with it released, open the wire of contact 1 alone",
        equipment=("estop_1_ok",),
        contacts=("estop_1_ok",),
    ),
    "estop_2_ok": Feature(
        "emergency stop, contact 2 open",
        "open the wire of contact 2 alone",
        equipment=("estop_2_ok",),
        contacts=("estop_2_ok",),
    ),
    "estop_discrepancy": Feature(
        "contacts of the emergency stop disagree",
        (
            "bridge contact 2 and press the emergency stop; remove the bridge, press once "
            "more, and check that both contacts open"
        ),
        shown=YES_NO,
        equipment=("estop_1_ok", "estop_2_ok"),
        contacts=("estop_1_ok", "estop_2_ok"),
    ),
    "fire_alarm_ok": Feature(
        "fire alarm relay open",
        "put the panel into test and raise an alarm",
        equipment=("fire_alarm_ok",),
        contacts=("fire_alarm_ok",),
    ),
    "suppression_ok": Feature(
        "agent release switch open",
        f"{OPEN_WIRE}; keep the agent isolated",
        equipment=("suppression",),
        contacts=("suppression_ok",),
    ),
    "fire_detectors": Feature(
        "smoke zones and heat detectors that report",
        "test smoke at the detectors, heat at the heat detector, one and then two of them",
        votes=("smoke", "smoke_2", "heat"),
        contacts=("smoke_1_ok", "smoke_2_ok", "heat_ok"),
    ),
    "fire_trouble_ok": Feature(
        "trouble relay of the fire panel open",
        "pull a detector from its base: the panel reports trouble",
        equipment=("fire_trouble",),
        contacts=("fire_trouble_ok",),
    ),
}
EQUIPMENT = {
    "suppression": Equipment("fire suppression", inputs=("suppression_ok",)),
    "smoke": Equipment("smoke detectors of both zones", inputs=("smoke_1_ok", "smoke_2_ok")),
    "smoke_2": Equipment("second smoke zone", inputs=("smoke_2_ok",)),
    "heat": Equipment("heat detector", inputs=("heat_ok",)),
    "fire_trouble": Equipment("trouble relay of the fire panel", inputs=("fire_trouble_ok",)),
}
ROWS = (
    Row(
        1,
        what="emergency stop, two contacts, or contacts that disagree for 0.5 s",
        basis="A47",
        confidence="C2",
        name="emergency stop",
        sentence="An emergency stop is pressed, or its two contacts disagree.",
        remedy="Find out why it was pressed. Release it, inspect, reset with the key.",
        proof=CONTACT,
        proves="emergency stop, each of its two contacts",
        wired=Wired(
            inject=(
                "press the emergency stop; then, with it released, open the wire of "
                "contact 1 alone, then of contact 2 alone"
            ),
            proof=CONTACT,
            proves="controller off: emergency stop",
        ),
        stages=(
            Stage("1a", sentence="The emergency stop is pressed: its first contact is open."),
            Stage("1b", sentence="The emergency stop is pressed: its second contact is open."),
            Stage(
                "1c",
                sentence="The two contacts of the emergency stop disagree.",
                remedy=(
                    "Check both contacts of the push button and their wires; reset with the key."
                ),
                proof=CONTACT,
                proves="contacts of the emergency stop disagree",
            ),
        ),
    ),
    Row(
        2,
        what="fire alarm relay of the fire panel",
        basis="A40-A43, A32",
        confidence="G",
        name="fire alarm",
        sentence="The fire panel reports an alarm.",
        remedy=FIRE,
        proof=PANEL,
        wired=Wired(
            inject=(
                "put the fire panel into test and raise an alarm, or open the wire of its "
                "alarm relay"
            ),
            proof=PANEL,
            proves="controller off: alarm of the fire panel",
            instead=("not_wired_2",),
        ),
        stages=(Stage("2", read_as={"priority": BY_PROGRAM}),),
    ),
    Row(
        3,
        what="suppression agent released",
        basis="A32, A34, D1",
        confidence="C2",
        name="suppression released",
        sentence="The fire suppression has been released.",
        remedy=FIRE,
        proof=PANEL,
        wired=Wired(
            inject=(
                "open the wire of the switch that shows the agent's release; keep the agent "
                "isolated"
            ),
            proof=PANEL,
            proves="controller off: suppression released",
            contact="suppression",
            instead=("not_wired_3",),
        ),
        stages=(Stage("3", read_as={"priority": BY_PROGRAM}),),
    ),
    Row(
        4,
        what="smoke or heat, one detector",
        basis="D5",
        confidence="C",
        name="smoke, first stage",
        sentence="One smoke detector reports smoke.",
        remedy="Look from a distance; do not open. Remote reset.",
        proof=PANEL,
    ),
    Row(
        5,
        what="smoke and heat, or smoke in two zones",
        basis="A34",
        confidence="C",
        name="smoke confirmed",
        sentence="Two detectors report: smoke and heat, or smoke in two zones.",
        remedy="Leave the cabinet closed. Call the fire service.",
        proof=PANEL,
    ),
    Row(
        6,
        what="fire panel or suppression in trouble",
        basis="A43, D3",
        confidence="C",
        name="fire panel trouble",
        sentence="The fire panel or suppression reports trouble.",
        remedy="Call the fire panel's service.",
        proof=PANEL,
        proves="fire panel or suppression in trouble",
        stages=(
            Stage("6a", read_as={"ICH": "after 15 min: stage 6b"}),
            Stage(
                "6b",
                sentence=(
                    "The fire panel or suppression has been in trouble for a long time; no "
                    "charging."
                ),
                proof=PANEL,
                proves="fire panel or suppression in trouble for 15 min",
                read_as={
                    "debounce": (
                        "the 15 min after which the row inhibits charging, counted from the start "
                        "of the trouble"
                    )
                },
            ),
        ),
    ),
)
