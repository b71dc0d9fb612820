"""Each reader of foreign bytes passes declared forms, or says here what it can do wrong.

The list is found in the syntax tree: every module of the controller that decodes JSON, msgpack,
TOML, CSV, XML, INI, pickles or packed numbers. `test_foreign_readers.py` lists the readers of text
with the suite that each one passes.
"""

import ast

import pytest

from tests.controller.series.test_foreign_readers import PARSERS
from tests.exemptions import Exempt, same
from tests.referred import References
from tests.repository import ROOT, tree

PACKED = {"unpack", "unpack_from", "iter_unpack"}
OTHERS = {"msgpack.unpackb", "msgpack.Unpacker", "pickle.loads", "int.from_bytes"}
FORMS = ("controller.forms.message", "controller.forms.reading", "controller.forms.field")
ANY_TEXT = Exempt(
    "a damaged file is refused in one line, and its figures are missing",
    "tests/controller/series/test_series_fence.py"
    "::test_any_file_is_read_or_refused_in_one_plain_line",
)
# The module: what its reader may do at worst.
EXEMPT = {
    **same(
        ANY_TEXT,
        "controller/planner/feeds/json_rows.py",
        "controller/planner/feeds/rows.py",
        "controller/series/jobs.py",
        "controller/series/prices.py",
        "controller/series/table.py",
        "controller/series/weather.py",
    ),
    "controller/audit/table.py": Exempt(
        "a row that is not understood is missing in the judgement, or refuses the record",
        "tests/controller/audit/test_audit_command.py"
        "::test_a_record_with_holes_is_judged_or_refused_in_one_line",
    ),
    "controller/config/approval.py": Exempt(
        "a damaged image counts as none, so a person approves anew",
        "tests/controller/config/test_approval_words.py"
        "::test_stored_words_are_small_and_damaged_ones_are_empty",
    ),
    "controller/config/profiles.py": Exempt(
        "none: the bytes are a copy that this process has made",
        "tests/controller/config/test_profiles.py::test_a_loaded_profile_is_a_copy",
    ),
    "controller/console/backup_file.py": Exempt(
        "a damaged backup is refused whole",
        "tests/controller/console/test_backup.py::test_a_damaged_backup_is_refused_whole",
    ),
    "controller/workbench/exchanges.py": Exempt(
        "the reply is shown as none, and no register of it",
        "tests/controller/workbench/test_decode_command.py::test_a_reply_that_is_none_is_refused",
    ),
    "controller/console/provision.py": Exempt(
        "the list is refused, and no key is made",
        "tests/controller/console/test_provision.py"
        "::test_a_wrong_list_is_one_line_and_makes_no_key",
    ),
    "controller/console/terminal/actions.py": Exempt(
        "an acknowledgement that is not understood is not shown",
        "tests/controller/store/test_writers.py"
        "::test_a_file_of_another_release_or_a_damaged_one_ends_no_act",
    ),
    "controller/console/terminal/line.py": Exempt(
        "a page is drawn in another size than that of the terminal",
        "tests/controller/console/test_terminal_wire.py::test_a_page_costs_one_key_and_few_bytes",
    ),
    "controller/core/base/form_gate.py": Exempt(
        "a frame that is not understood is not sent",
        "tests/controller/core/test_form_gate.py::test_a_damaged_frame_has_its_reason",
    ),
    "controller/core/base/gate.py": Exempt(
        "a frame that is not understood is not sent",
        "tests/controller/core/test_gate.py::test_no_single_flipped_bit_passes",
    ),
    "controller/core/base/scaled_gate.py": Exempt(
        "a frame that is not understood is not sent",
        "tests/controller/core/test_gate.py::test_any_other_form_is_refused_with_its_reason",
    ),
    "controller/core/base/schedule_table.py": Exempt(
        "a table whose check sum does not fit is refused whole",
        "tests/controller/core/test_schedule.py::test_a_table_enters_whole_or_not_at_all",
    ),
    "controller/core/site_devices/write_gate.py": Exempt(
        "a frame that is not understood is not sent",
        "tests/controller/core/site_devices/test_write_gate.py"
        "::test_any_other_form_is_refused_with_its_reason",
    ),
    "controller/core/tracking/packed.py": Exempt(
        "none: the numbers are those that this process has packed",
        "tests/controller/core/tracking/test_packed.py::test_each_mean_is_that_of_a_loop",
    ),
    "controller/dispatch/epoch_file.py": Exempt(
        "the dispatcher does not start",
        "tests/controller/dispatch/test_fleet_file.py::test_a_damaged_epoch_is_refused",
    ),
    "controller/documents/hazard_log.py": Exempt(
        "a measured time of the release that is wrong is a gap of the log",
        "tests/controller/documents/test_hazards.py::test_each_gap_is_found",
    ),
    "controller/documents/locked.py": Exempt(
        "a release whose lock file lacks a package is not built",
        "tests/controller/documents/test_locked.py::test_a_root_that_is_not_locked_is_an_error",
    ),
    "controller/doors/alarms/outbox.py": Exempt(
        "a letter is sent again, because its file counts as none",
        "tests/controller/doors/test_alarm_letters.py::test_a_wrong_outbox_file_is_none",
    ),
    "controller/doors/http/pages.py": Exempt(
        "one message is refused in one line",
        "tests/controller/doors/test_http_door.py::test_a_wrong_message_has_one_line",
    ),
    "controller/doors/listener.py": Exempt(
        "a user with most places loses one",
        "tests/controller/doors/test_local.py::test_a_user_with_most_places_loses_one",
    ),
    "controller/doors/local/framing.py": Exempt(
        "one message is refused",
        "tests/controller/doors/test_local.py::test_a_wrong_line_counts_as_one_refused_message",
    ),
    "controller/doors/modbus/door.py": Exempt(
        "a set-point within the role of the listed source",
        "tests/controller/doors/test_modbus_controls.py"
        "::test_no_bytes_send_more_than_the_role_of_a_listed_source",
    ),
    "controller/doors/modbus/image.py": Exempt(
        "a written value beyond its range is refused",
        "tests/controller/doors/test_modbus_controls.py::test_a_refusal_leaves_all_as_it_was",
    ),
    "controller/doors/mqtt/commands.py": Exempt(
        "a hint that the sender itself would send",
        "tests/controller/doors/sender_suite.py"
        "::test_only_what_the_sender_itself_would_send_leaves",
    ),
    "controller/forms/message.py": Exempt(
        "a message that is no JSON is refused whole; all others pass the forms",
        "tests/controller/system/test_caught.py::test_json_is_nested_at_most_32_deep",
    ),
    "controller/hints/admission.py": Exempt(
        "a datagram of another form is counted and does nothing",
        "tests/controller/hints/test_hints.py::test_garbage_is_counted_and_nothing_else",
    ),
    "controller/hints/hint_statistics.py": Exempt(
        "a damaged file counts as none, so no counters are shown",
        "tests/controller/console/test_hint_cli.py::test_damaged_statistics_never_break_a_page",
    ),
    "controller/hints/schedule_wire.py": Exempt(
        "a datagram with one wrong bit is refused by its MAC",
        "tests/controller/hints/test_schedule_wire.py::test_no_bit_of_a_datagram_may_change",
    ),
    "controller/hints/wire.py": Exempt(
        "a datagram of another key is refused by its MAC",
        "tests/controller/hints/test_hints.py"
        "::test_a_datagram_decodes_unchanged_and_only_under_its_key",
    ),
    "controller/journal/frame.py": Exempt(
        "one frame of the journal is missing, and a word says so",
        "tests/controller/journal/test_ring.py::test_every_damaged_byte_costs_a_frame_or_is_named",
    ),
    "controller/journal/header_form.py": Exempt(
        "the journal is refused, and no page has values",
        "tests/controller/console/test_forged_journal.py"
        "::test_each_word_that_is_malformed_or_missing",
    ),
    "controller/journal/ring.py": Exempt(
        "one frame of the journal is missing, and a word says so",
        "tests/controller/journal/test_ring.py::test_every_damaged_byte_costs_a_frame_or_is_named",
    ),
    "controller/planner/feeds/entsoe.py": Exempt(
        "the feed is refused in one line, and the plan lacks its prices",
        "tests/controller/planner/test_feed_entsoe.py::test_a_wrong_document_is_one_line",
    ),
    "controller/recorder/database.py": Exempt(
        "the record goes on without its own notes of before",
        "tests/controller/recorder/test_recorder_rescue.py"
        "::test_meta_of_another_form_does_not_stop_a_rescue",
    ),
    "controller/recorder/fast_anchor.py": Exempt(
        "a damaged anchor names no block, so a removed end is not found",
        "tests/controller/recorder/test_fast_anchor.py::test_a_record_without_a_block_names_none",
    ),
    "controller/recorder/fast_ring.py": Exempt(
        "one block of the ring is damaged, and the check says so",
        "tests/controller/recorder/test_fast.py::test_each_changed_byte_and_each_cut_is_found",
    ),
    "controller/recorder/head.py": Exempt(
        "a head of another form counts as none",
        "tests/controller/recorder/test_recorder_rescue.py"
        "::test_a_published_head_of_another_form_is_none",
    ),
    "controller/recorder/rescue.py": Exempt(
        "a damaged row of the database is not rescued",
        "tests/controller/recorder/test_recorder_rescue.py"
        "::test_a_damaged_database_is_noticed_and_rescued",
    ),
    "controller/run/link_statistics.py": Exempt(
        "a damaged file counts as none, so no counters are shown",
        "tests/controller/run/test_link_statistics.py"
        "::test_file_that_was_cut_or_is_another_is_none",
    ),
    "controller/run/loop_statistics.py": Exempt(
        "a damaged file counts as none, so no counters are shown",
        "tests/controller/run/test_statistics.py::test_what_is_no_statistics_file_is_none",
    ),
    "controller/run/operator_client.py": Exempt(
        "an answer of another form counts as a refusal",
        "tests/controller/run/test_command.py::test_an_answer_of_another_version_is_a_refusal",
    ),
    "controller/run/operator_commands.py": Exempt(
        "a datagram of another form is refused and does nothing",
        "tests/controller/run/test_command.py::test_anything_else_is_refused_and_does_nothing",
    ),
    "controller/series/survey.py": Exempt(
        "a figure of no known unit or time is doubted in a line, and its plan is worse",
        "tests/controller/series/test_series_powers.py::test_what_a_user_has_to_know_is_a_doubt",
    ),
    "controller/siting/live.py": Exempt(
        "the file is refused in one line, and no plan is drawn",
        "tests/controller/siting/test_siting_places.py"
        "::test_a_wrong_file_of_live_values_is_one_line",
    ),
    "controller/state/plan_file.py": Exempt(
        "the plan counts as none",
        "tests/controller/state/test_plan_file.py::test_a_foreign_file_is_one_line",
    ),
    "controller/state/record.py": Exempt(
        "counters of the lifetime begin at 0",
        "tests/controller/recorder/test_lifetime.py::test_what_is_no_count_begins_at_zero",
    ),
    "controller/store/chain.py": Exempt(
        "an event that was changed is named, and the chain ends there",
        "tests/controller/recorder/test_recorder_chain.py"
        "::test_what_is_taken_out_put_in_or_moved_is_found",
    ),
    "controller/store/proof_lines.py": Exempt(
        "a damaged record of a test does not count",
        "tests/controller/store/test_proof_tests.py::test_any_changed_byte_is_found",
    ),
    "controller/store/spool.py": Exempt(
        "an act that is not understood is not recorded",
        "tests/controller/store/test_spool.py::test_a_file_that_is_not_an_act_is_removed",
    ),
    "controller/store/stored_record.py": Exempt(
        "a damaged copy of the store is refused",
        "tests/controller/store/test_stored_record.py::test_every_flipped_bit_is_detected",
    ),
    "controller/store/trips.py": Exempt(
        "a damaged line of the second copy does not count",
        "tests/controller/recorder/test_recorder.py"
        "::test_a_line_of_another_form_or_torn_or_changed_does_not_count",
    ),
    "controller/system/child.py": Exempt(
        "none: the numbers are those that the child has read from the cabinet",
        "tests/controller/planner/test_site_file.py::test_a_cabinet_gives_energy_and_power",
    ),
    "controller/system/json_text.py": Exempt(
        "a text that is nested too deep is refused",
        "tests/controller/system/test_caught.py::test_json_is_nested_at_most_32_deep",
    ),
    "controller/system/sockets.py": Exempt(
        "an answer of another user is skipped",
        "tests/controller/run/test_command.py::test_an_answer_counts_by_its_number_and_its_user",
    ),
    "controller/system/toml_text.py": Exempt(
        "a hostile file is refused in one line",
        "tests/whole/test_fence_files.py::test_a_hostile_file_is_one_line_and_little_memory",
    ),
    "controller/systemd/make_bundle.py": Exempt(
        "a bundle is made with the version that the tree itself names",
        "tests/controller/systemd/test_signed_bundle.py"
        "::test_a_bundle_is_made_of_what_the_installer_reads",
    ),
    "controller/systemd/trial.py": Exempt(
        "a damaged note is no trial, so the new release stays",
        "tests/controller/systemd/test_trial.py::test_a_note_that_is_damaged_is_no_trial",
    ),
    "controller/watch/cabinet.py": Exempt(
        "the answer counts as none, and no job starts",
        "tests/controller/watch/test_watch_command.py::test_an_odd_answer_is_one_line",
    ),
    "controller/watch/kube_api.py": Exempt(
        "the pods are unknown, and no job starts",
        "tests/controller/watch/test_kubernetes.py::test_a_wrong_list_is_one_line",
    ),
    "controller/watch/slurm.py": Exempt(
        "the queue is unknown, and no job starts",
        "tests/controller/watch/test_slurm.py::test_an_output_of_another_form_is_one_line",
    ),
}


def decodes(module):
    """True if a module decodes bytes or text that may be of another program."""
    references = References(module)
    for node in ast.walk(module):
        if isinstance(node, ast.Attribute) and node.attr in PACKED:
            return True
        if isinstance(node, (ast.Name, ast.Attribute)):
            if references.is_of(node, PARSERS | OTHERS):
                return True
            if ast.unparse(node) == "int.from_bytes":
                return True
    return False


def declares(module):
    """True if a module reads by the forms."""
    names = [
        f"{node.module}.{each.name}"
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom)
        for each in node.names
    ]
    return any(name.startswith(FORMS[:2]) for name in names)


def readers():
    """{module: whether it reads by forms}."""
    found = {}
    for path in tree():
        name = path.relative_to(ROOT).as_posix()
        if path.suffix == ".py" and name.startswith("controller/") and "/examples/" not in name:
            module = ast.parse(path.read_text())
            if decodes(module):
                found[name] = declares(module)
    return found


def test_every_reader_passes_a_form_or_states_its_largest_harm():
    found = readers()
    assert {name for name, has_form in found.items() if not has_form} - set(EXEMPT) == set()
    assert set(EXEMPT) - set(found) == set()


@pytest.mark.parametrize(
    "text",
    [
        "import struct\nstruct.unpack('<H', data)",
        "HEAD.unpack_from(data)",
        "import msgpack\nmsgpack.unpackb(data)",
        "from msgpack import Unpacker\nUnpacker()",
        "from controller.system import json_text\nread = json_text.loads",
        "int.from_bytes(data)",
    ],
)
def test_the_syntax_tree_finds_a_reader(text):
    assert decodes(ast.parse(text)) and not declares(ast.parse(text))
