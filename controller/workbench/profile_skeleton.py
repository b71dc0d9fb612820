"""Makes an empty profile that a person fills in, for `firebreak profile new`.

Each key without a default has the value "?", so the profile is refused until the person replaces
it. Optional tables and keys are comments.
"""

import textwrap
from collections.abc import Iterable, Iterator, Mapping

from controller.config import converter_profile, meter_profile, profile_form as form
from controller.config.profile_words import words_of
from controller.core.site_devices.roles import ROLES
from controller.forms.field import REQUIRED, Field, Form, allowed_text
from controller.forms.refusal import shown

WIDTH = 110
ASK = '"?"'
# SunSpec is a standard, so a copy of the shipped profile is shorter than a skeleton.
FAMILIES = tuple(family for family in form.FAMILIES if family != form.SUNSPEC_PCS)
LISTS = ("setpoint", "setup,start,stop")
OPTIONAL_TABLES = ("identity", "setup,start,stop", "heartbeat", "arrays", "sent")
# {table: keys that the skeleton shows although they have a default}. A row needs them, unless it
# has another key that replaces them.
SHOWN_DEFAULTS = {
    "messages": ("id",),
    "signals": ("start", "length"),
    "faults": ("start", "length"),
}
SHOWN_DEFAULTS |= {"arrays": ("length", "starts"), "setup,start,stop": ("value",)}
# {table: names of its rows in the skeleton}. For registers see NEEDED.
ROW_NAMES = {"messages": ("pack",), "faults": ("trips",), "arrays": ("cell_voltage_mV",)}
ROW_NAMES |= {"sent": ("alive",), "identity": ("model",)}
SIGNALS = (
    "rack_voltage_mV",
    "rack_current_mA",
    "soc_permille",
    "charge_current_mA_max",
    "discharge_current_mA_max",
)
MORE_REGISTERS = {
    "meter": meter_profile.NAMES,
    form.REGISTER_PCS: ("dc_current_mA", "state", "fault_any"),
}
MORE_REGISTERS[form.REGISTER_BMS] = (*SIGNALS, "cell_voltage_mV", "fault_any")


def skeleton(family: str, role: str = "") -> str:
    """The text of a profile of this family. role: the role of a generic device, or ""."""
    lines = [
        *_remark(
            f"A profile of family {family}. Put the values of the device's document in place of "
            'each "?". Delete the lines of what the device does not have. `firebreak profile check '
            "FILE` names the first mistake. "
            f"`firebreak document profile {family}` explains each key."
        )
    ]
    top = {key: field for key, field in form.TOP.items() if field.kind[:5] != "table"}
    known = {"family": shown(family), "documents": f"[{ASK}]"}
    lines += [*_keys("", top, known), "", "[timing]", *_keys("timing.", form.TIMING, {})]
    settings = form.FAMILIES[family]
    if settings:
        known = {"role": shown(role)} if role else {}
        lines += ["", "[settings]", *_keys(f"{family}.settings.", settings, known)]
    for name, table in tables_of(family).items():
        if name != "setpoint.values":
            lines += ["", *_table(family, name, table, role)]
    if family in form.REPORT_FAULTS:
        lines += ["", "[fault_bits]", *_remark("NAME = bit, 0 to 29; a bit has one meaning")]
        bits = {form.TRIP: "any = 0"}
        lines += [f"{meaning} = {{{bits.get(meaning, '')}}}" for meaning in form.MEANINGS]
    return "\n".join(lines) + "\n"


def _remark(text: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )


def _keys(prefix: str, table: Form, known: Mapping[str, str]) -> Iterator[str]:
    """A line for each key. The line of a key with a default is a comment."""
    for key, field in table.items():
        remark = f"{allowed_text(field)}: {words_of(prefix + key)}"
        if key in known or field.default is REQUIRED:
            line = f"{key} = {known.get(key, ASK)}"
        else:
            line = f"# {key} = {_default(field)}"
        yield from textwrap.wrap(
            f"{line:30}  # {remark}",
            WIDTH,
            subsequent_indent=f"{'':30}  # ",
            break_on_hyphens=False,
        )


def _default(field: Field) -> str:
    return "..." if field.default is None else shown(field.default)


def _table(family: str, name: str, table: Form, role: str) -> list[str]:
    """The head of a table, its optional keys as a remark, and its rows."""
    head, *_ = name.split(".")
    is_optional = head in OPTIONAL_TABLES
    lines = _remark(_also(family, name, table))
    if head in LISTS or head == "heartbeat":
        lines += _list(family, head, table)
    else:
        rows = [_inline(row, head, table, family, role) for row in _rows(family, head, role)]
        lines += [f"[{head}]", *rows]
    return [f"# {line}" if is_optional and line[0] != "#" else line for line in lines]


def _also(family: str, name: str, table: Form) -> str:
    """The optional keys of a table with their defaults and meanings."""
    remarks = [
        f"{key} ({_default(field)}): {words_of(f'{family}.{name}.{key}')}"
        for key, field in table.items()
        if field.default is not REQUIRED
    ]
    return f"[{name.split('.')[0]}] may have: {'; '.join(remarks)}" if remarks else ""


def _rows(family: str, head: str, role: str) -> Iterable[str]:
    if role and head == "registers":
        return _directions(role)
    if head == "registers":
        return (*form.NEEDED.get(family, ()), *MORE_REGISTERS.get(family, ()))
    return SIGNALS if head == "signals" else ROW_NAMES.get(head, ("NAME",))


def _directions(role: str) -> dict[str, list[str]]:
    """{register: its directions} of a generic device. Signals are read, actuators are written."""
    directions = {signal.name: ["read"] for signal in ROLES[role].signals}
    for actuator in ROLES[role].actuators:
        directions.setdefault(actuator.name, []).append("write")
    return directions


def _inline(name: str, head: str, table: Form, family: str, role: str) -> str:
    """A row with every key that it must have. The role decides which values are read or written."""
    also: tuple[str, ...] = ("range",) if family in form.SENSORS else ()
    also += ("positive",) if name in converter_profile.SIGNED else ()
    also += ("values",) if name == "state" else ()
    keys = _must(head, table, also)
    if role and head == "registers":
        direction = shown(" ".join(_directions(role)[name]))
        keys[keys.index(f"direction = {ASK}")] = f"direction = {direction}"
    return f"{name} = {{{', '.join(keys)}}}"


def _must(head: str, table: Form, also: tuple[str, ...] = ()) -> list[str]:
    also = (*also, *SHOWN_DEFAULTS.get(head, ()))
    names = [key for key, field in table.items() if field.default is REQUIRED or key in also]
    return [f"{key} = {ASK}" for key in names]


def _list(family: str, head: str, table: Form) -> list[str]:
    """A table in which each key has its own line. Only the values of a set-point are inline."""
    if head == "heartbeat":
        return ["[heartbeat]", *_must(head, table)]
    lines = list[str]()
    for table_name in head.split(","):
        lines.append(f"[[{table_name}]]")
        lines += _must(head, {key: field for key, field in table.items() if key != "values"})
    if "values" in table:
        values = tables_of(family)["setpoint.values"]
        lines += _remark(_also(family, "setpoint.values", values))
        lines.append(f"values = [{{{', '.join(_must('', values))}}}]")
    return lines


def tables_of(family: str) -> dict[str, Form]:
    """{table: its form} of one family, without its settings, top and timing."""
    tables: dict[str, Form] = {}
    for prefix, table in form.every_table().items():
        family_list, _, name = prefix.partition(".")
        family_names = form.SENSORS if family_list == "sensors" else family_list.split(",")
        if family in family_names and not name.startswith("settings"):
            tables[name.rstrip(".")] = table
    return tables
