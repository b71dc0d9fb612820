"""The controller, its processor and its channel B: rows 44, 51 and 58."""

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

AT_START = "checked once, at the start, before anything runs"
NO_HORN = "at a start the fault is over and nothing runs: the lamp and a message to the operator"
FAN_RAN = (
    "at a start the fan has run until then, because it fails on; from now on other rows decide"
)
FEATURES = {
    "image_changed": Feature("limit image changed", ON_RIG, shown=YES_NO),
    "step_late_ms": Feature("step late", ON_RIG, silence=BY_LEVEL),
    "late_steps": Feature("steps of 0.1 s or more in 10 s", ON_RIG, window_ms=500),
    "boot_not_clean": Feature(
        "last run ended without an orderly stop",
        "switch the controller's supply off and on while the cabinet runs",
        shown=YES_NO,
    ),
    "boot_store_unreadable": Feature(
        "store unreadable, or older than the revision that channel B holds",
        (
            "stop cabinet and service in order, move the state directory away and start "
            "with an empty one; afterwards stop, move the old directory back (it holds the "
            "latches and the proof-test ledger) and start again; with channel B that start "
            "asks for the key too"
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
        proof=Interval(YEAR_D, "a start after an interrupted run, or without the store", "D"),
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
                    "proves them"
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
                        "0.5 s is the expiry of the hard-wired permit; a changed image "
                        "stays changed"
                    )
                },
            ),
            Stage(
                "44b",
                sentence="A step of the controller came too late.",
                remedy="See page Links. Export the journal and report it. Remote reset.",
                proof=SELF_TEST,
                proves="late step",
                is_added=True,
                read_as={"debounce": "the watched value is the lateness of 0.5 s itself"},
            ),
            Stage(
                "44c",
                sentence="The last run of the controller ended without an orderly stop.",
                remedy="Look in the record for the end of that run. Remote reset.",
                is_added=True,
                read_as={"debounce": AT_START, "FAN": FAN_RAN, "ALM": NO_HORN},
            ),
            Stage(
                "44d",
                sentence=(
                    "The store of the controller (latches, lock-outs) is unreadable or too old."
                ),
                remedy="Page Alarms shows what was active; inspect, then reset with the key.",
                is_added=True,
                read_as={
                    "debounce": AT_START,
                    "latch": "key on site: without its store the latches are unknown",
                    "FAN": FAN_RAN,
                    "ALM": NO_HORN,
                },
            ),
            Stage(
                "44e",
                sentence="A self-test found a fault: memory, clock, processor, program or relay.",
                remedy=(
                    "Replace the part that the alarm names: controller or relay. Reset with the "
                    "key."
                ),
                proof=SELF_TEST,
                proves="self-test of program, memory, clock, relays",
                read_as={
                    "debounce": (
                        "0.5 s is the expiry of the hard-wired permit; a failed part stays failed"
                    ),
                    "latch": (
                        "key on site for memory and clock too: the failed part may be the one that "
                        "checks a reset"
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
                remedy=(
                    "See page Links. Look for another program that uses the processor or the "
                    "storage."
                ),
                proof=SELF_TEST,
                proves="repeated stalls",
                is_added=True,
                read_as={"debounce": "the watched value is its window of 10 s"},
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
        remedy="Check that both channels have the same limit image and program. Remote reset.",
        proof=Interval(
            YEAR_D, "permit relay of channel B: only a channel that is off proves it", "D"
        ),
    ),
    Row(
        58,
        what="limit image not approved (project: an approval has a name)",
        basis="design",
        confidence="D",
        name="not approved",
        sentence="The configuration that runs here is not approved.",
        remedy="`firebreak approve` shows the changes. Approve by name, with the key out of RUN.",
        proof=Interval(ONCE, "every change of the configuration needs a new approval", "D"),
    ),
)
