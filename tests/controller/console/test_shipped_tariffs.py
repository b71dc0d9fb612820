"""`plan --once` plays every tariff of the tree: examples, systems and their variants, pages."""

import re
import tomllib
from datetime import UTC, datetime, timedelta

import pytest
from command_line import facts_in, run

from controller.planner import tariff
from controller.state import plan_file
from tests.repository import ROOT, tree

SITE = ROOT / "controller/planner/example/planner.toml"
FENCED = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)
MENTIONS = re.compile(r"^\s*\[+(?:[\w.]+\.)?tariff(?:\.\w+)?\]", re.MULTILINE)
START = datetime(2026, 6, 1, tzinfo=UTC)


def texts():
    """{name: TOML text} of the files, and of the snippets of the pages, that have a tariff."""
    found = {}
    for path in tree():
        name = path.relative_to(ROOT).as_posix()
        if path.suffix == ".toml":
            found[name] = path.read_text()
        elif path.suffix == ".md":
            found |= {
                f"{name} {at}": each for at, each in enumerate(FENCED.findall(path.read_text()))
            }
    return {name: text for name, text in found.items() if MENTIONS.search(text)}


def tariffs():
    """{name: table} of each tariff, and of each variant of it."""
    found = {}
    for name, text in texts().items():
        content = tomllib.loads(text)
        own = content.get("tariff", {})
        found[name] = own
        for variant, tables in content.get("variant", {}).items():
            if "tariff" in tables:
                found[f"{name} {variant}"] = own | tables["tariff"]
    return found


def toml(table):
    """The tables [tariff] and [[tariff.demand]]."""
    lines = [
        "[tariff]",
        *[f"{key} = {text(each)}" for key, each in table.items() if key != "demand"],
    ]
    for charge in table.get("demand", []):
        lines += ["[[tariff.demand]]", *[f"{key} = {text(each)}" for key, each in charge.items()]]
    return "\n".join(lines) + "\n"


def text(value):
    return f'"{value}"' if isinstance(value, str) else str(value).replace("'", '"')


def played(capsys, folder, table):
    """The plan of the example's site with this tariff, and the process's own peaks."""
    begin, end = [SITE.read_text().index(each) for each in ("[tariff]", "# Drop day-ahead")]
    whole = SITE.read_text()
    (folder / "site.toml").write_text(whole[:begin] + toml(table) + "\n" + whole[end:])
    times = [START + timedelta(minutes=15 * at) for at in range(96 * 9)]
    rows = [f"{at:%Y-%m-%dT%H:%MZ},{200 + 90 * (8 <= at.hour < 19)}\n" for at in times[: 96 * 7]]
    (folder / "load.csv").write_text("start,load_kW\n" + "".join(rows))
    rows = [f"{at:%Y-%m-%dT%H:%MZ},{70 + 3 * at.hour}\n" for at in times[::4]]
    head = f"start,price {table['currency']}/MWh\n"
    (folder / "prices.csv").write_text(head + "".join(rows))
    (folder / "pv.csv").write_text(
        "start,pv_kW\n" + "".join([f"{at:%Y-%m-%dT%H:%MZ},0\n" for at in times])
    )
    more = "--series", folder, "--at", "2026-06-07T12:00Z", "--json"
    return run(capsys, "plan --once --site", folder / "site.toml", *more)


@pytest.mark.parametrize("name", tariffs())
def test_a_shipped_tariff_makes_a_plan(capsys, tmp_path, name):
    code, out, err = played(capsys, tmp_path, tariffs()[name])
    assert (code, err) == (0, [])
    found = {key: each for key, each in facts_in(out).items() if key not in ("age_s", "is_old")}
    assert plan_file.checked("made", found) == found and found["cap_W"] > 0


def test_one_of_each_kind_of_charge_is_shipped():
    """A form of the tariff that no shipped file has would be in no run."""
    counts = {len(each.get("demand", [])) for each in tariffs().values()}
    keys = {
        key for each in tariffs().values() for charge in each.get("demand", []) for key in charge
    }
    assert {0, 2} <= counts and keys == set(tariff.CHARGE)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_each_number_of_charges_makes_a_plan(capsys, tmp_path, count):
    demand = [
        {"name": f"{at}", "per_kW_month": [3.0 + at], "hours": [6 * at, 6 * at + 6]}
        for at in range(count)
    ]
    code, out, _ = played(capsys, tmp_path, {"currency": "EUR", "demand": demand})
    assert code == 0 and facts_in(out)["cap_W"] > 0
