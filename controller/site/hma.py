"""What the hazard mitigation analysis says of a cabinet: the section [hma], and what follows from
it for the rest.

A row that needs one of these facts (the flammable limit of the vent gas, the chemistry, what stands
in for a second channel) refuses a file that lacks it. Nothing here has a default that could stand
in for a report nobody read.
"""

from controller.rows.records import ROWS, WIRED
from controller.site import schema
from controller.site.acceptance_text import ahead_line, placeholder_line
from controller.site.equipment import with_clauses
from controller.site.refusal import not_allowed, refuse, shown
from controller.site.value_checks import allowed_text
from safety import matrix

ALWAYS = ("report", "chemistry", "explosion_control")
WITH_GAS = ("gas_required_by", "lfl_vol_ppm", "lfl_source")
SOURCED = ("lfl_vol_ppm", "lfl_source")  # a number and the report it is from
# NFPA 69 is a fan that gas detectors start, and the proof that it moves air (A29).
PREVENTION_NEEDS = ("gas", "airflow")


def read(values, not_fitted):
    """{key: value or None} of [hma]. not_fitted: {equipment: who accepted}. Raises ConfigError."""
    for key in ALWAYS + (() if "gas" in not_fitted else WITH_GAS):
        values.need("hma", key)
    _check_sourced(values)
    _check_explosion_control(values, not_fitted)
    _check_gas(values, not_fitted)
    _check_hold_off(values, not_fitted)
    _check_noc(values, not_fitted)
    _check_derate(values, not_fitted)
    _check_hard_wired(values, not_fitted)
    _check_wired_by(values, not_fitted)
    return {key: values.get("hma", key) for key in schema.HMA}


def placeholder_lines(facts, not_fitted):
    """[one line] that names the facts and acceptances that are an example's; [] without. facts:
    {key: value}.
    """
    texts = {f"hma.{key}": value for key, value in facts.items()}
    texts |= {f"not_fitted.{name}": who for name, who in not_fitted.items()}
    return placeholder_line("facts of the hazard analysis", texts)


def ahead_lines(facts, not_fitted, today):
    """[one line] that names the acceptances of a day after today; [] without. facts: {key: value};
    today: 2026-03-14.
    """
    texts = {"hma.hard_wired_accepted": facts.get("hard_wired_accepted") or ""}
    return ahead_line(
        texts | {f"not_fitted.{name}": who for name, who in not_fitted.items()}, today
    )


def chemistry_of(chain):
    """The chemistry that the layers say, the type's first; LFP where none does, which `read` then
    refuses.
    """
    for layer in chain:
        said = layer.content.get("hma")
        if isinstance(said, dict) and said.get("chemistry") in tuple(schema.STAGES):
            return said["chemistry"]
    return schema.LFP


def hard_wired_rows(not_fitted, second_channel):
    """Rows that must act by wire, as no second channel sees them; what is not fitted has none.
    second_channel: bool.
    """
    return [
        row
        for row, how in WIRED.items()
        if how.is_required
        and has_contact(row, not_fitted)
        and not (second_channel and not not_fitted.get(how.seen_by))
    ]


def has_contact(row, not_fitted):
    """Whether the contact is there that a row in hard wiring acts by."""
    return WIRED[row].contact not in not_fitted


def _check_sourced(values):
    """Refuse a number beside the report of another layer: on paper that report would stand for what
    it does not say.
    """
    paths = [("hma", key) for key in SOURCED]
    if not all(path in values.entries for path in paths):  # of a cabinet without gas detection
        return
    older, newer = sorted(paths, key=lambda path: values.entries[path].rank)
    if values.entries[older].rank < values.entries[newer].rank:
        refuse(
            values.file(*newer),
            older,
            f"is missing: this file says {newer[1]} of its own, "
            f"and a flammable limit "
            "stands with the report it is from",
            allowed_text(values.spec(older)),
        )


def _check_explosion_control(values, not_fitted):
    if values.get("hma", "explosion_control") == "68":
        return
    for name in PREVENTION_NEEDS:
        if not_fitted.get(name):
            path = ("not_fitted", name)
            refuse(
                values.file(*path),
                path,
                "is not allowed: hma.explosion_control asks for "
                "prevention (NFPA 69), "
                "which is gas detection, fan and proof of airflow "
                "(A29)",
                'explosion_control = "68", or fit it',
            )


def _check_gas(values, not_fitted):
    """An analysis that names what asks for gas detection is not one of a cabinet without it, vents
    or not.
    """
    asking = ("hma", "gas_required_by")
    if asking in values.entries and not_fitted.get("gas"):
        path = ("not_fitted", "gas")
        refuse(
            values.file(*path),
            path,
            f"is not allowed: hma.gas_required_by "
            f"({shown(values.get(*asking))}) asks for "
            "gas detection",
            "an analysis without gas_required_by, or fit it",
        )


def _check_hold_off(values, not_fitted):
    """Real conflicts stand in matrix.CONFLICTS: the fan waits for the agent only where somebody
    says why.
    """
    path = ("cabinet", "agent_hold_off_ms")
    held_ms = values.get(*path)
    if held_ms and not_fitted.get("suppression"):
        not_allowed(
            values.file(*path), path, held_ms, "0: no suppression is fitted that could need it"
        )
    if held_ms:
        _, row, _, clauses = matrix.CONFLICTS[0]
        if values.get("hma", "agent_hold_off_reason") is None:
            reason = ("hma", "agent_hold_off_reason")
            refuse(
                values.last_file,
                reason,
                f"is missing: after row {row} the fan waits {held_ms} ms ({clauses})",
                schema.HMA["agent_hold_off_reason"].allowed[1],
            )


def _check_noc(values, not_fitted):
    """Row 46 needs something to watch: the heartbeat of a source of hints, or the fire panel's
    supervised path.
    """
    path = ("hma", "noc_source")
    name = values.get(*path)
    if name is not None and name not in values.tables("source"):
        names = sorted(values.tables("source"))
        not_allowed(values.file(*path), path, name, ", ".join(names) or "a source of hints", names)
    if name is not None and not_fitted.get("noc"):
        spare = ("not_fitted", "noc")
        refuse(
            values.file(*spare),
            spare,
            f"is not allowed beside hma.noc_source ({shown(name)}), which is watched",
            "one of the two",
        )
    if name is None and "supervised" in not_fitted and "noc" not in not_fitted:
        refuse(
            values.last_file,
            path,
            f"is missing: {with_clauses([46])} watches its heartbeat",
            "the name of a source of hints, or supervised_ok of the fire panel, or not_fitted.noc",
            equipment=("noc",),
        )


def _check_derate(values, not_fitted):
    """Half the power while nobody watches (46b) needs something that says whether somebody does."""
    if values.get("hma", "noc_derate") and not_fitted.get("noc") and not_fitted.get("supervised"):
        path = ("not_fitted", "noc")
        refuse(
            values.file(*path),
            path,
            "is not allowed beside not_fitted.supervised: "
            f"hma.noc_derate asks for row 46b ({ROWS[46].basis}), which needs one of the two",
            "noc_derate = false, or fit one of them",
        )


def _check_hard_wired(values, not_fitted):
    second_channel = _has_second_channel(values)
    if not second_channel:
        values.need("hma", "hard_wired_rows")
    for row in hard_wired_rows(not_fitted, second_channel):
        if row not in _said(values):
            _refuse_rows(values, not_fitted, _why_wired(row, second_channel))
    if _said(values):
        values.need("hma", "hard_wired_accepted")


def _why_wired(row, second_channel):
    what = with_clauses([row])
    if not second_channel:
        return f"without a second channel {what} must act by wire"
    return (
        f"{what} must act by wire: the second channel would see it by {WIRED[row].seen_by} alone, "
        "which is not fitted"
    )


def _has_second_channel(values):
    return values.get("cabinet", "second_channel") == "fitted"


def _said(values):
    return values.get("hma", "hard_wired_rows") or []


def _check_wired_by(values, not_fitted):
    """Refuse a row that is said to act by wire where somebody accepted that its contact is not
    there.
    """
    for row in _said(values):
        if not_fitted.get(WIRED[row].contact):
            _refuse_rows(
                values,
                not_fitted,
                f"{with_clauses([row])} has no contact to act by, as "
                f"not_fitted.{WIRED[row].contact} says",
            )


def _refuse_rows(values, not_fitted, why):
    path, said = ("hma", "hard_wired_rows"), values.get("hma", "hard_wired_rows")
    rows = {*_said(values), *hard_wired_rows(not_fitted, _has_second_channel(values))}
    allowed = (
        f"[{', '.join([str(row) for row in sorted(rows) if has_contact(row, not_fitted)])}]: {why}"
    )
    if said is None:
        refuse(values.last_file, path, "is missing", allowed)
    not_allowed(values.file(*path), path, said, allowed)
