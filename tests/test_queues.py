"""Each bounded queue of the product is seen full by a test, or says what is lost when it is.

A bench that is faster than the field never fills a queue, and nobody learns what happens then.
"""

import ast

import pytest

from controller.core.base import hint_codes as h
from controller.dispatch import exchange
from controller.hints import wire as w
from tests.exemptions import Exempt
from tests.house import sources
from tests.repository import ROOT
from tests.tables import cases

SUITE = "tests/controller/doors/listener_suite.py"
# {queue: the case that sees it full}
SEEN_FULL = {
    "controller/workbench/findings.py KINDS_MAX": (
        "tests/controller/workbench/test_decode_command.py"
        "::test_refusals_of_a_kind_are_counted_and_kinds_are_kept_apart"
    ),
    "controller/dispatch/exchange.py PENDING_MAX": (
        "tests/test_queues.py::test_a_full_exchange_forgets_the_oldest_hint_alone"
    ),
    "controller/dispatch/overview.py ODD_MAX": (
        "tests/controller/dispatch/test_overview.py"
        "::test_odd_messages_are_counted_and_their_kinds_are_bounded"
    ),
    "controller/doors/listener.py connections_max": (
        f"{SUITE}::test_a_crowd_takes_no_more_places_than_there_are_and_locks_nobody_out"
    ),
    "controller/doors/local/framing.py MESSAGE_BYTES_MAX": (
        "tests/controller/doors/test_local.py"
        "::test_a_line_that_is_too_long_is_refused_once_and_the_next_is_read"
    ),
    "controller/mqtt/link.py UNANSWERED_MAX": (
        "tests/controller/doors/test_mqtt_hostile.py"
        "::test_a_broker_that_acknowledges_nothing_is_left"
    ),
    "controller/doors/mqtt/waiting.py WAITING_MAX": (
        "tests/controller/doors/test_mqtt_signed.py"
        "::test_a_full_queue_keeps_the_oldest_or_the_newest"
    ),
    "controller/run/start_budget.py STARTS_PER_HOUR_MAX": (
        "tests/controller/run/test_stop_while_starting.py"
        "::test_a_start_after_a_lost_link_is_one_of_the_starts_of_an_hour"
    ),
    "controller/store/spool.py WAITING_MAX": (
        "tests/controller/store/test_spool.py::test_the_number_of_waiting_acts_is_bounded"
    ),
    "controller/system/caught.py _lines_max": (
        "tests/controller/system/test_caught.py"
        "::test_each_line_once_and_no_more_than_the_most_or_every_line"
    ),
    "drivers/meter.py CHANGES": (
        "tests/drivers/test_meter_profiles.py"
        "::test_the_refresh_is_measured_by_the_changes_of_the_words"
    ),
}
# No test has seen these full. The case shows what bounds the harm.
NEVER_FULL = {
    "controller/workbench/can_decoding.py OTHERS_MAX": Exempt(
        "the page of a capture leaves identifiers out",
        "tests/drivers/test_can_bms.py::test_a_refusal_names_the_profile_that_fits",
    ),
    "controller/console/terminal/question.py characters_max": Exempt(
        "a person's further letters are not taken",
        "tests/controller/console/test_terminal_wire.py::test_a_flood_of_input_is_read_in_pieces",
    ),
    "controller/dispatch/common_load.py DAY_MIN + 1": Exempt(
        "none: it is a ring of the minutes of a day",
        "tests/controller/dispatch/test_common_load.py"
        "::test_a_load_at_its_peak_rises_no_more_and_one_that_nobody_knows_does_not_rise",
    ),
    "controller/dispatch/reader.py WAITING_MAX": Exempt(
        "the oldest reports of a fleet are lost, and a cabinet looks silent until its next report",
        "tests/controller/dispatch/test_overview.py"
        "::test_odd_messages_are_counted_and_their_kinds_are_bounded",
    ),
    "controller/dispatch/service.py WAITING_MAX": Exempt(
        "the oldest answers of cabinets are lost; a loan that nobody confirms is not lent on",
        "tests/controller/dispatch/test_dispatcher.py"
        "::test_it_waits_until_every_earlier_hint_has_run_out",
    ),
    "controller/doors/alarms/door.py DEFERRED_MAX": Exempt(
        "the oldest of 20 letters to an address that the relay puts off is not sent to it",
        "tests/controller/doors/test_alarm_letters.py"
        "::test_an_address_that_the_relay_puts_off_gets_the_letter_later",
    ),
    "controller/mqtt/link.py UNSENT_MAX": Exempt(
        "reports of QoS 0 are dropped while the broker is slow",
        "tests/controller/doors/test_mqtt.py::test_a_flood_of_acknowledgements_wakes_the_loop_once",
    ),
    "controller/system/told.py CAUSES_MAX": Exempt(
        "a further cause of a client is counted and has no line",
        "tests/controller/system/test_caught.py"
        "::test_each_line_once_and_no_more_than_the_most_or_every_line",
    ),
}
OWN_SIZE = ("self.", "_names(")
GUARDS = "a queue that no test has seen full"


def bound_of(node):
    """The name of the bound of a queue, or None."""
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("deque"):
        sizes = [*node.args[1:], *[each.value for each in node.keywords]]
        return ast.unparse(sizes[0]) if sizes else None
    if isinstance(node, ast.Compare) and ast.unparse(node.left).startswith("len("):
        inner, bound = ast.unparse(node.left)[4:], ast.unparse(node.comparators[0])
        is_bound = bound.rstrip("]'").lower().endswith("_max")
        if inner.startswith(OWN_SIZE) and is_bound:
            return bound.rpartition(".")[2].rpartition("['")[2].rstrip("]'")
    return None


def covered():
    """The bounded queues of the box: what waits in an object, and has a largest number."""
    return {
        f"{path} {bound}"
        for path, text in sources()
        if path.startswith(("controller/", "drivers/"))
        for node in ast.walk(ast.parse(text))
        if (bound := bound_of(node))
    }


def test_each_queue_is_seen_full_or_says_what_is_lost():
    assert covered() == {*SEEN_FULL, *NEVER_FULL}
    for case in SEEN_FULL.values():
        path, _, test = case.partition("::")
        assert f"def {test}(" in (ROOT / path).read_text(encoding="utf-8"), case


@cases("""
    line                                     bound
    "collections.deque(maxlen=WAITING_MAX)"  "WAITING_MAX"
    "len(self._waiting) >= link.ROOM_MAX"    "ROOM_MAX"
    "len(self._a) > self._values['a_max']"   "a_max"
    "collections.deque()"                    None
    "len(data) > BYTES_MAX"                  None
    "len(self._a) > 3"                       None
""")
def test_the_syntax_tree_finds_a_queue(line, bound):
    assert bound_of(ast.parse(line, mode="eval").body) == bound


@pytest.mark.parametrize("more", [0, 1, 5])
def test_a_full_exchange_forgets_the_oldest_hint_alone(more):
    """64 hints without an answer: an answer to a forgotten one counts for nothing."""
    key, made = bytes(32), exchange.Exchange("ems", bytes(32))
    for sequence in range(1, 64 + more + 1):
        made.hint(sequence, 1000, 0)
    for sequence in range(1, 64 + more + 1):
        reply = w.Reply(
            *("ems", bytes(8), sequence, 5, h.GRANTED, h.GRID_CAP, h.IMPORT_W_MAX),
            *(1000, 1000, 60_000, w.NOTHING_W, 0, 0, 0, 0, 0, 0),
        )
        is_heard = made.heard(w.reply_bytes(reply, key), 0) is not None
        assert is_heard == (sequence > more), sequence
