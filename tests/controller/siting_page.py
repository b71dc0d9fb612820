"""The tables of the page AUDIT.md. `python -m tests.controller.siting_page` writes them."""

from controller.forms.field import REQUIRED, allowed_text
from controller.siting import fields, rules
from tests import generated_page
from tests.repository import ROOT

PAGE = ROOT / "controller" / "siting" / "AUDIT.md"
SURE = {"C": "read", "C2": "second-hand", "G": "unconfirmed", "D": "derived"}
SENSES = {rules.STATED: "a fact", rules.SCOPE: "kind of site"}


def number(rule):
    if rule.sense == rules.SCOPE and rule.number is not None:
        return f"kind of site: {rule.number:g} {rule.unit}"
    if rule.sense in SENSES:
        return SENSES[rule.sense]
    figure = "see above," if rule.number is None else f"{rule.number:g}"
    return f"{rule.sense} {figure} {rule.unit}"


def holds(rule):
    words = rule.scope.words
    return f"{words}; profile {rule.local}" if rule.local else words


def clause(rule, edition):
    words, confidence = rule.clauses.get(edition, ("", ""))
    return f"{words}: {SURE[confidence]}" if words else "-"


def rule_table():
    lines = [
        f"| rule | what | number | holds for | {' | '.join(fields.EDITIONS)} |",
        "|" + "---|" * 8,
    ]
    for rule in rules.RULES:
        lines.append(
            f"| {rule.id} | {rule.what} | {number(rule)} | {holds(rule)} | "
            + " | ".join([clause(rule, edition) for edition in fields.EDITIONS])
            + " |"
        )
    return "\n".join(lines)


def key_table():
    lines = ["| table | key | allowed | meaning |", "|---|---|---|---|"]
    tables = {
        "top of the file": fields.SITE,
        **{f"[{name}.NAME]": keys for name, keys in fields.TABLES.items()},
        **{f"[{name}]": keys for name, keys in fields.SINGLE_TABLES.items()},
    }
    for table, keys in tables.items():
        for key, field in keys.items():
            what = "; ".join(
                filter(None, ("required" if field.default is REQUIRED else "", field.what))
            )
            lines.append(f"| {table} | {key} | {allowed_text(field)} | {what} |")
    return "\n".join(lines)


def technology_table():
    lines = ["| technology | B1: over | B11: at most in a fire area |", "|---|---|---|"]
    for name, (threshold_kWh, most_kWh) in fields.TECHNOLOGIES.items():
        most = f"{most_kWh} kWh" if most_kWh else "unlimited"
        lines.append(f"| {name} | {threshold_kWh} kWh | {most} |")
    return "\n".join(lines)


TABLES = {"rules": rule_table, "keys": key_table, "technologies": technology_table}
PROGRAM = "tests/controller/siting_page.py"


if __name__ == "__main__":
    generated_page.write(PAGE, TABLES, PROGRAM)
