"""A closed version of CHANGELOG.md names the results of `vm-test` and `prove` on one commit, and in
its tree no claim is stale.
"""

import configparser
import re

from hil.systems import claims, proofs
from tests.exemptions import Exempt, same
from tests.repository import ROOT
from tests.tables import cases

BEFORE_THIS_RULE = same(
    Exempt(
        "a version of before has no result of vm-test and prove",
        "tests/test_versions.py::test_a_version_without_both_results_on_one_commit_is_untried",
    ),
    "0.1.0",
    "0.3.0",
)
TRIED = re.compile(r"(?m)^On [0-9a-f]{8,40}: `vm-test` (\d+) of \1, `prove` (\d+) of \2\.$")


def versions(page):
    return {part.split()[0]: part for part in re.split(r"(?m)^## ", page)[1:]}


def untried(page):
    closed = {name: text for name, text in versions(page).items() if name != "Next"}
    return [name for name, text in closed.items() if not TRIED.search(text)]


def stale(page, lines):
    """Lines of stale claims in a tree in which nothing has changed since a version was closed."""
    is_closed = not versions(page)["Next"].removeprefix("Next").strip()
    return [line for line in lines() if "| stale |" in line] if is_closed else []


def changes():
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_each_closed_version_was_tried_on_its_commit():
    assert set(untried(changes())) <= set(BEFORE_THIS_RULE)


def test_the_version_of_the_program_is_the_newest_closed_one():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    first, newest, *_ = versions(changes())
    assert (first, newest) == ("Next", setup["metadata"]["version"])


def test_no_claim_is_stale_where_a_version_is_closed():
    assert stale(changes(), lambda: claims.page(proofs.stored())) == []


@cases("""next_  state  is_stale
    ""           "stale"  True
    ""           "works"  False
    "- A thing."  "stale"  False
""")
def test_a_stale_claim_forbids_to_close_a_version(next_, state, is_stale):
    page = f"# Changes\n\n## Next\n\n{next_}\n\n## 0.4.0 (2026-12-01)\n"
    line = f"| 1 | a claim | {state} | |"
    assert stale(page, lambda: [line]) == [line] * is_stale


@cases("""line  is_tried
    "On 12ab34cd: `vm-test` 26 of 26, `prove` 5 of 5."  True
    "On 12ab34cd: `vm-test` 25 of 26, `prove` 5 of 5."  False
    "On 12ab34cd: `vm-test` 26 of 26."  False
    "`vm-test` 26 of 26, `prove` 5 of 5."  False
""")
def test_a_version_without_both_results_on_one_commit_is_untried(line, is_tried):
    page = f"# Changes\n\n## Next\n\n## 0.4.0 (2026-12-01)\n\n{line}\n"
    assert untried(page) == ([] if is_tried else ["0.4.0"])
