"""The controller, its channel B and what it runs on: rows 44, 51 and 58."""

from controller.rows.shapes import (
    BY_LEVEL,
    ON_RIG,
    ONCE,
    SELF_TEST,
    YEAR_D,
    YES_NO,
    Feature,
    Interval,
    Row,
    Stage,
    Wired,
)

AT_START = "seen once, at the start, before anything runs"
NO_HORN = "a start: what went wrong is over and nothing runs; the lamp, and the operator is told"
FAN_RAN = (
    "a start: the fan, which fails on, has run until then, and goes by the other rows from here on"
)
FEATURES = {
    "image_changed": Feature("limit image changed", ON_RIG, shown=YES_NO),
    "step_late_ms": Feature("step late", ON_RIG, silence=BY_LEVEL),
    "late_steps": Feature("steps of 0.1 s or more in 10 s", ON_RIG, window_ms=500),
    "boot_not_clean": Feature(
        "last run not ended in order",
        "switch the controller's supply off and on while the cabinet runs",
        shown=YES_NO,
    ),
    "boot_store_unreadable": Feature(
        "store unreadable, or older than channel B knows",
        (
            "cabinet and service stopped in order, put the state directory aside and "
            "start with an empty one; afterwards stop, put the old one back in its "
            "place (it holds the latches and the proof-test ledger) and start again; beside "
            "channel B it asks for the key then too"
        ),
        shown=YES_NO,
    ),
    "self_test_bits": Feature("self-test of memory, clock, program, relays", ON_RIG, shown=YES_NO),
    "cpu_temperature_ddegC": Feature("processor temperature", ON_RIG),
    "image_approved_ok": Feature("limit image not approved", ON_RIG),
    "peer_code": Feature("channel B disagrees or is silent", "switch channel B off", shown=YES_NO),
}
ROWS = (
    Row(
        44,
        what=(
            "controller self-test: program, memory, clock, limits, relays, late step, unclean start"
        ),
        basis="A92, C82",
        confidence="C2",
        name="controller check",
        sentence="The controller failed a check of itself, its limits or its store.",
        remedy="See page Alarms. Reload the approved configuration or replace the controller.",
        proof=Interval(
            YEAR_D, "what a start finds after a run that was cut off, or without its store", "D"
        ),
        proves="unclean start, or a store that cannot be read",
        wired=Wired(
            inject=(
                "jumpers off, locks off, the cabinet started by the controller: switch "
                "the controller off. The outputs expire in the I/O modules: the fan runs, "
                "the red lamp is on, the fire panel shows the fault"
            ),
            proof=Interval(
                YEAR_D,
                (
                    "permit relays and the expiry of outputs: only a controller that is off "
                    "shows them"
                ),
                "D",
            ),
            proves="controller off: outputs expire",
        ),
        stages=(
            Stage(
                "44a",
                sentence="The limits in memory have changed.",
                remedy="Replace the controller.",
                proof=SELF_TEST,
                proves="limit image changed in memory",
                read_as={
                    "debounce": (
                        "0.5 s is the expiry of the hard-wired permit; what has changed has changed"
                    )
                },
            ),
            Stage(
                "44b",
                sentence="The controller missed its time.",
                remedy="See page Links. Export the record and report it. Remote reset.",
                proof=SELF_TEST,
                proves="late step",
                is_ours=True,
                read_as={"debounce": "the 0.5 s are what is watched: a step that comes so late"},
            ),
            Stage(
                "44c",
                sentence="The controller was not stopped in an orderly way.",
                remedy="Look at what the record says of its end. Remote reset.",
                is_ours=True,
                read_as={"debounce": AT_START, "FAN": FAN_RAN, "ALM": NO_HORN},
            ),
            Stage(
                "44d",
                sentence="What the controller keeps over a loss of power is unreadable, or old.",
                remedy="Page Alarms shows what was active; inspect, then reset with the key.",
                is_ours=True,
                read_as={
                    "debounce": AT_START,
                    "latch": "key on site: without its store the latches are unknown",
                    "FAN": FAN_RAN,
                    "ALM": NO_HORN,
                },
            ),
            Stage(
                "44e",
                sentence=(
                    "The controller found a fault of its memory, clock, processor or program, "
                    "or a permit relay does not follow."
                ),
                remedy="Replace the part that is named, controller or relay; reset with the key.",
                proof=SELF_TEST,
                proves="self-test of program, memory, clock, relays",
                read_as={
                    "debounce": (
                        "0.5 s is the expiry of the hard-wired permit; what has failed has failed"
                    ),
                    "latch": (
                        "key on site for memory and clock too: what has failed may be what checks "
                        "a reset"
                    ),
                },
            ),
            Stage(
                "44f",
                sentence="The processor of the controller is too hot.",
                remedy="Let it cool; check its place and its fan. Remote reset.",
                proof=SELF_TEST,
                proves="processor too hot",
            ),
            Stage(
                "44g",
                sentence="The controller has stalled three times in 10 s.",
                remedy="See page Links. Look for what takes its processor or its storage.",
                proof=SELF_TEST,
                proves="repeated stalls",
                is_ours=True,
                read_as={"debounce": "its window of 10 s is what is watched"},
            ),
        ),
    ),
    Row(
        51,
        what=(
            "channel B silent, in disagreement, or without a permit of its own "
            "(project: two channels)"
        ),
        basis="design",
        confidence="D",
        name="channel B",
        sentence="Channel B is silent or disagrees.",
        remedy="Compare the limit image of both channels: same file, same program. Remote reset.",
        proof=Interval(
            YEAR_D, "permit relay of channel B: only a channel that is off shows it", "D"
        ),
    ),
    Row(
        58,
        what="limit image that nobody has approved (project: bound to a name)",
        basis="design",
        confidence="D",
        name="not approved",
        sentence="Nobody has approved the configuration that runs here.",
        remedy="`firebreak approve` shows what changed; approve it by name, the key out of RUN.",
        proof=Interval(ONCE, "it is asked for at every change of the configuration", "D"),
    ),
)
