"""Makes the page of `firebreak document siting`: rules, keys of a siting file, technologies."""

from controller.documents.document import Blocks, Heading, Table
from controller.forms.field import REQUIRED, Field, allowed_text
from controller.siting import fields, items, rules

SURE = {"C": "read", "C2": "second-hand", "G": "unconfirmed", "D": "derived"}
SENSES = {rules.STATED: "a fact", rules.SCOPE: "kind of site"}


def blocks() -> Blocks:
    """The page."""
    return [
        Heading(1, "The siting audit: rules and keys"),
        Heading(2, "Every rule"),
        _rules(),
        Heading(2, "Every key of a siting file"),
        _keys(),
        Heading(2, "Technologies"),
        _technologies(),
    ]


def _rules() -> Table:
    headers = ("rule", "what", "number", "holds for", *fields.EDITIONS)
    rows = []
    for rule in rules.RULES:
        holds = rule.scope.text + (f"; profile {rule.scope.local}" if rule.scope.local else "")
        by_edition = [rule.clauses.get(edition) for edition in fields.EDITIONS]
        clauses = [f"{clause[0]}: {SURE[clause[1]]}" if clause else "-" for clause in by_edition]
        rows.append((rule.id, rule.what, _number(rule), holds, *clauses))
    return Table(headers, rows)


def _number(rule: items.Rule) -> str:
    if rule.sense == rules.SCOPE and rule.number is not None:
        return f"kind of site: {rule.number:g} {rule.unit}"
    if rule.sense in SENSES:
        return SENSES[rule.sense]
    figure = "see below," if rule.number is None else f"{rule.number:g}"
    return f"{rule.sense} {figure} {rule.unit}"


def _keys() -> Table:
    tables = {
        "top of the file": fields.SITE,
        **{f"[{name}.NAME]": keys for name, keys in fields.TABLES.items()},
        **{f"[{name}]": keys for name, keys in fields.SINGLE_TABLES.items()},
    }
    return Table(
        ("table", "key", "allowed", "meaning"),
        [
            (table, key, allowed_text(field), _meaning(field))
            for table, keys in tables.items()
            for key, field in keys.items()
        ],
    )


def _meaning(field: Field) -> str:
    return "; ".join(filter(None, ("required" if field.default is REQUIRED else "", field.note)))


def _technologies() -> Table:
    return Table(
        ("technology", "B1: over", "B11: at most in a fire area"),
        [
            (name, f"{threshold_kWh} kWh", f"{most_kWh} kWh" if most_kWh else "unlimited")
            for name, (threshold_kWh, most_kWh) in fields.TECHNOLOGIES.items()
        ],
    )
