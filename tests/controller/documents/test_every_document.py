"""Every document of the table, in every form, for every shipped cabinet; and the HTML engine."""

import html
import html.parser
import json
from argparse import Namespace

import pytest
from command_line import refused, run

from controller.config import equipment, profile_form
from controller.core.base import reasons
from controller.documents import (
    bill_of_materials,
    command,
    commissioning,
    document,
    fault_table,
    hazard_log,
    html_page,
    responder,
)
from controller.documents.document import Banner, Heading, Mark, Picture, Table, Text
from controller.rows import facts as fact_table, reason_words, records
from controller.sites import FOLDER
from controller.siting import fields, rules
from safety import matrix as m

CABINETS = sorted(path.parent.name for path in FOLDER.glob("*/cabinet.toml"))
STAGES = {stage[m.S_ID] for stage in m.STAGES}
STOPPING = {stage[m.S_ID] for stage in m.STAGES if stage[m.S_DEMAND][m.D_PCS]}
# first cells of a document's lines, at least
FIRST = {
    "equipment": equipment.EQUIPMENT,
    "facts": fact_table.FACTS,
    "faults": {*fault_table.GROUPS, *fault_table.CONTACTS, *fault_table.COILS},
    "hazards": {each["id"] for each in hazard_log.read()[0]["hazard"]},
    "matrix": map(str, records.ROWS),
    "profile": {key.rpartition(".")[2] for key, _ in profile_form.every_key()},
    "reasons": {*map(reasons.label, filter(None, reason_words.TEXTS)), *STAGES},
    "sbom": {*bill_of_materials.DEBIAN, "python-can", "uPlot"},
    "siting": {*[rule.id for rule in rules.RULES], *fields.TECHNOLOGIES, "[fence]"},
    "times": STOPPING - {"44c", "44d"},  # these two act before the cabinet runs
}
EACH = [(name, "") for name in command.OF_PROGRAM]
OF_SITE = ["matrix", *[name for name in command.DOCUMENTS if name not in command.OF_PROGRAM]]
EACH += [(name, place) for name in OF_SITE for place in CABINETS]
MOMENT = (1_773_454_051_000_000, "ntp")  # 2026-03-14


@pytest.fixture(autouse=True)
def moment(monkeypatch):
    monkeypatch.setattr(commissioning.utc, "moment", lambda: MOMENT)


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    return str(tmp_path_factory.mktemp("state"))


def facts_of(name, place, state_dir):
    site = str(FOLDER / place / "cabinet.toml") if place else None
    return command.facts_of(command.DOCUMENTS[name], Namespace(site=site, state_dir=state_dir))


class Page(html.parser.HTMLParser):
    """Texts, open tags, loaded files, and widths of rows."""

    def __init__(self, text):
        super().__init__()
        self.open, self.loads, self.widths, self.text = [], [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.loads += [name for name, _ in attributes if name in ("src", "href", "data", "action")]
        self.loads += [tag] * (tag in ("script", "link", "img", "iframe"))
        self.open += [tag] * (tag != "meta")
        if tag == "table":
            self.widths.append(set())
        if tag == "tr":
            self.cells = 0
        self.cells = getattr(self, "cells", 0) + (tag in ("td", "th"))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag
        if tag == "tr" and self.cells:
            self.widths[-1].add(self.cells)

    def handle_data(self, text):
        self.text += text + " "


def flat(text):
    return " ".join(text.split())


def words_of(blocks):
    """The texts of blocks; a Mark has two."""
    for block in blocks:
        cells = sum(map(list, block.rows), []) if isinstance(block, Table) else [block.text]
        for cell in cells:
            yield from (cell.text, cell.note) if isinstance(cell, Mark) else (cell,)


@pytest.mark.parametrize("name, place", EACH)
def test_a_document_says_the_same_in_each_form(name, place, empty):
    each, found = command.DOCUMENTS[name], facts_of(name, place, empty)
    blocks = each.blocks(found)
    printed = {form: command.FORMS[form](each, found) for form in each.forms}
    assert all(map(str.isascii, printed.values()))
    facts = command.tables(found) if isinstance(found, list) else found
    assert facts and json.loads(printed["json"]) == json.loads(json.dumps(facts))
    page = Page(printed["html"])
    assert page.open == page.loads == [] and "url(" not in printed["html"]
    assert all(len(widths) == 1 for widths in page.widths if widths), "rows as wide as their head"
    said = flat(page.text)
    assert [words for words in words_of(blocks) if flat(words) not in said] == []
    tables = [block for block in blocks if isinstance(block, Table)]
    assert set(FIRST.get(name, ())) <= {
        document.text(row[0]) for table in tables for row in table.rows
    }
    _each_cited_key_is_explained(printed.get("md", ""))


def _each_cited_key_is_explained(text):
    said, _, explained = text.partition("## Facts cited")
    lines = {line.split(" ")[1]: line for line in explained.splitlines()[4:] if line}
    assert set(fact_table.keys(said)) & set(fact_table.FACTS) == set(lines)
    for key, line in lines.items():
        fact = fact_table.FACTS[key]
        assert line.startswith(f"| {key} | {fact.fact} | {fact.source} | {fact.confidence}")


WIRING = f"document wiring {FOLDER}/example/cabinet.toml"
COMMANDS = {
    **{name: f"document {name}" for name in command.OF_PROGRAM},
    **{name: f"document {name} --site" for name in OF_SITE},
    "wiring": "document wiring",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_prints_its_document(capsys, name, empty):
    place = "example" if name in OF_SITE else ""
    each, found = command.DOCUMENTS[name], facts_of(name, place, empty)
    given = [FOLDER / place / "cabinet.toml"] if place else []
    given += ["--state-dir", empty] if name == "commissioning" else []
    code, lines, said = run(capsys, COMMANDS[name], *given)
    assert (code, said) == (bool(each.is_open(found)), [])
    assert "\n".join(lines).rstrip() == command.FORMS[each.forms[0]](each, found).rstrip()


def test_the_wiring_as_json_has_two_options(capsys):
    assert run(capsys, f"{WIRING} --json") == run(capsys, f"{WIRING} --format json")


def test_help_lists_every_document(capsys):
    _, lines, _ = run(capsys, "document --help")
    assert set(command.DOCUMENTS) <= {line.split()[0] for line in lines if line.strip()}


@pytest.mark.parametrize(
    "name, change", [("hazards", {"gaps": ["a gap"]}), ("faults", {"values": []})]
)
def test_a_missing_link_is_an_open_point(name, change):
    each, found = command.DOCUMENTS[name], facts_of(name, "", "")
    assert not each.is_open(found) and each.is_open(found | change)


def test_an_unreadable_log_is_code_3(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(hazard_log, "LOG", tmp_path / "log.toml")
    refused(capsys, 3, "log.toml", "document hazards")


HOSTILE = ("<b>&\"'", "x|y", "z\nw", "N\u00f8r")


def test_every_block_escapes_its_texts():
    """Markdown escapes what opens a tag, parts cells or ends a row."""
    text = HOSTILE[0]
    blocks = [
        *[Heading(1, text), Text(text), Text(Mark("doubt", text, text)), Banner(text)],
        Table(("", text), [(text, text), ("", Mark("armed", text, text))], kind=document.CARDS),
        Picture("<?xml?><svg id='a'></svg>", title=text),
    ]
    page = html_page.page(blocks)
    assert page.count(html.escape(text)) == 14 and "<b>" not in page and "<?xml" not in page
    assert "<svg id='a'></svg>" in page
    assert all(f".{kind} {{" in html_page.STYLE for kind in document.KINDS)
    cells = [(HOSTILE[1], Mark("armed", HOSTILE[2], "note"), Picture("", title=HOSTILE[3]))]
    found = document.markdown([Heading(2, "<i>h"), Table(("a", "b", "c"), cells)])
    head = "## &lt;i>h\n\n| a | b | c |\n| --- | --- | --- |\n"
    assert found == head + "| x/y | z w, note | N?r |\n"
    assert "N&#248;r" in html_page.page([Heading(1, HOSTILE[3])])


def test_a_style_comes_behind_the_engine_s(files):
    """The last @page rule wins: the sheet for the fire service is upright."""
    page = command.FORMS["html"](command.DOCUMENTS["responder"], responder.facts(files.load()))
    assert page.index("size: A4 landscape") < page.index("size: A4 portrait")
