"""Each reader of foreign bytes passes declared forms, or says here what it can do wrong.

The list is found in the syntax tree: every module of the controller that decodes JSON, msgpack,
TOML, CSV, XML, INI, pickles or packed numbers. `test_foreign_readers.py` lists the readers of text
with the suite that each one passes.
"""

import ast

import pytest

from tests.controller.series.test_foreign_readers import PARSERS
from tests.referred import References
from tests.repository import ROOT, tree

PACKED = {"unpack", "unpack_from", "iter_unpack"}
OTHERS = {"msgpack.unpackb", "msgpack.Unpacker", "pickle.loads", "int.from_bytes"}
FORMS = ("controller.forms.message", "controller.forms.reading", "controller.forms.field")
DAMAGED = "A damaged file of this box is refused by its check sum or check, and the reader says so."
FRAME = "A frame with a wrong number is refused by its length, its CRC or its MAC."
SERIES = "A value without a unit or a time is refused or doubted in a line of the plan."
STALE = "An own file that is not understood counts as none, so less is known and shown."
# module: (the largest harm, the file of the test that shows it)
EXEMPT = {
    **dict.fromkeys(
        [
            "controller/audit/table.py",
            "controller/planner/feeds/entsoe.py",
            "controller/planner/feeds/json_rows.py",
            "controller/planner/feeds/rows.py",
            "controller/series/jobs.py",
            "controller/series/prices.py",
            "controller/series/survey.py",
            "controller/series/table.py",
            "controller/series/weather.py",
        ],
        (SERIES, "test_foreign_readers.py"),
    ),
    **dict.fromkeys(
        [
            "controller/core/base/form_gate.py",
            "controller/core/base/gate.py",
            "controller/core/base/scaled_gate.py",
            "controller/core/site_devices/write_gate.py",
        ],
        ("A frame to a device that is not understood is not sent.", "test_form_gate.py"),
    ),
    "controller/core/base/schedule_table.py": ("Own numbers in memory.", "test_schedule.py"),
    "controller/forms/message.py": ("The reader by forms.", "test_message_fields.py"),
    "controller/hints/admission.py": (FRAME, "test_fence.py"),
    "controller/core/tracking/packed.py": ("Own numbers in memory.", "test_track.py"),
    **dict.fromkeys(
        ["controller/hints/wire.py", "controller/hints/schedule_wire.py"], (FRAME, "test_fence.py")
    ),
    "controller/run/operator_commands.py": (FRAME, "test_fence.py"),
    "controller/run/operator_client.py": (FRAME, "test_command.py"),
    "controller/doors/modbus/door.py": (FRAME, "test_modbus_controls.py"),
    "controller/doors/modbus/image.py": ("Own registers.", "test_modbus.py"),
    **dict.fromkeys(
        ["controller/doors/http/pages.py", "controller/doors/mqtt/commands.py"],
        ("One message is refused: the door hands it on as a datagram.", "test_http_limits.py"),
    ),
    "controller/doors/local/framing.py": (
        "One message is refused: the door hands it on as a datagram.",
        "test_fence_companions.py",
    ),
    "controller/watch/cabinet.py": ("The answer counts as not known.", "test_watch_command.py"),
    "controller/watch/kube_api.py": ("The pods are unknown: no job starts.", "test_kubernetes.py"),
    "controller/watch/slurm.py": ("The queue is unknown: no job starts.", "test_slurm.py"),
    **dict.fromkeys(
        [
            "controller/journal/frame.py",
            "controller/journal/header_form.py",
            "controller/journal/ring.py",
        ],
        (DAMAGED, "test_ring.py"),
    ),
    "controller/store/stored_record.py": (DAMAGED, "test_stored_record.py"),
    "controller/store/chain.py": (DAMAGED, "test_recorder_chain.py"),
    "controller/store/proof_lines.py": (DAMAGED, "test_proof_tests.py"),
    "controller/store/spool.py": (DAMAGED, "test_spool.py"),
    "controller/store/trips.py": (DAMAGED, "test_recorder_events.py"),
    "controller/config/approval.py": (DAMAGED, "test_approval.py"),
    "controller/config/profiles.py": ("Own bytes of this process.", "test_profiles.py"),
    **dict.fromkeys(
        ["controller/recorder/fast_ring.py", "controller/recorder/fast_anchor.py"],
        (DAMAGED, "test_fast.py"),
    ),
    **dict.fromkeys(
        ["controller/recorder/database.py", "controller/recorder/head.py"],
        (DAMAGED, "test_recorder_chain.py"),
    ),
    "controller/recorder/rescue.py": (DAMAGED, "test_recorder_rescue.py"),
    "controller/console/backup_file.py": (DAMAGED, "test_backup.py"),
    "controller/console/terminal/actions.py": (STALE, "test_terminal_wire.py"),
    "controller/console/terminal/line.py": (STALE, "test_terminal_wire.py"),
    "controller/console/exchanges.py": ("A register is shown.", "test_probe.py"),
    "controller/console/provision.py": ("The list is refused.", "test_provision.py"),
    "controller/dispatch/epoch_file.py": ("The dispatcher does not start.", "test_refusing.py"),
    "controller/doors/alarms/outbox.py": ("A letter is sent again.", "test_alarm_letters.py"),
    "controller/doors/listener.py": ("The kernel's own numbers.", "test_local.py"),
    "controller/system/sockets.py": ("The kernel's own numbers.", "test_local.py"),
    "controller/hints/hint_statistics.py": (STALE, "test_statistics.py"),
    "controller/run/link_statistics.py": (STALE, "test_link_statistics.py"),
    "controller/run/loop_statistics.py": (STALE, "test_statistics.py"),
    "controller/state/plan_file.py": (STALE, "test_plan_file.py"),
    "controller/state/record.py": (STALE, "test_lifetime.py"),
    "controller/siting/live.py": (STALE, "test_siting_report.py"),
    "controller/system/child.py": ("The answer of an own process.", "test_planner_memory.py"),
    "controller/system/json_text.py": ("The reader of all JSON.", "test_caught.py"),
    "controller/system/toml_text.py": ("The reader of all TOML.", "test_fence_files.py"),
    "controller/documents/hazard_log.py": ("Files of the release.", "test_hazards.py"),
    "controller/documents/locked.py": ("Files of the release.", "test_locked.py"),
    "controller/systemd/make_bundle.py": ("Files of the release.", "test_signed_bundle.py"),
    "controller/systemd/trial.py": ("`trial_verdict` has the forms.", "test_message_fields.py"),
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


def test_every_exemption_names_a_test():
    names = {each.name for each in tree() if each.name.startswith("test_")}
    for name, (harm, case) in EXEMPT.items():
        assert harm.endswith(".") and case in names, (name, case)


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
