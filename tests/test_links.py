"""Links and named files of the Markdown lead somewhere: files, folders and headings."""

import re

import pytest

from tests.repository import ROOT, tree

TREE = sorted(tree())
PAGES = [path.relative_to(ROOT).as_posix() for path in TREE if path.suffix == ".md"]
LINK = re.compile(r"(?<!`)\[[^\]]+\]\(([^)\s]+)\)")
NAMED = re.compile(r"`((?:\.\./)*[\w./-]+\.(?:md|py|toml|sh))`")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
PLACEHOLDER = re.compile("NAME|DIR|FILE|SITE|RESULT")  # of a recipe or an example
FILES = {path.name for path in TREE}


def places(text):
    """Targets of links into a page: its headings as a forge names them."""
    heads = re.findall(r"^#+ (.+)$", FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", head.lower()).replace(" ", "-") for head in heads}


def dead(page, text, root=ROOT):
    """The links of a page, and the files between backquotes, that lead nowhere."""
    folder = (root / page).parent
    found = []
    for link in LINK.findall(FENCED.sub("", text)):
        name, _, anchor = link.partition("#")
        target = (folder / name).resolve() if name else root / page
        if "://" in link or link.startswith("mailto:"):
            continue
        if not target.exists():
            found.append(f"{page}: {link}: no such file")
        elif anchor and anchor not in places(target.read_text(encoding="utf-8")):
            found.append(f"{page}: {link}: no such heading in {target.name}")
    return found


def unknown(page, text):
    """Files between backquotes: a path must exist from the page's folder or one above it, a bare
    name anywhere.
    """
    folders = [ROOT / page, *(ROOT / page).parents]
    return [
        f"{page}: `{name}`: no such file"
        for name in NAMED.findall(FENCED.sub("", text))
        if not PLACEHOLDER.search(name)
        and not name.startswith("/")
        and not any((folder / name).exists() for folder in folders)
        and not ("/" not in name and name in FILES)
    ]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert dead(page, text) == []


def test_a_dead_link_and_a_dead_heading_are_found(tmp_path):
    (tmp_path / "b.md").write_text("# One two: `three`\n```\n# no heading\n```\n")
    text = "[a](b.md#one-two-three) [b](c.md) [d](b.md#no-heading) [e](http://x.y/z)"
    assert dead("a.md", text, tmp_path) == [
        "a.md: c.md: no such file",
        "a.md: b.md#no-heading: no such heading in b.md",
    ]


def test_files_named_in_the_pages_exist():
    found = []
    for page in PAGES:
        if page != "CHANGELOG.md":  # a history names files that are gone
            found += unknown(page, (ROOT / page).read_text(encoding="utf-8"))
    assert found == []
