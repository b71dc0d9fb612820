"""Finds the code tokens of a text, without comments and docstrings, and makes a digest.

An f-string counts as one token, so that every version of Python finds the same tokens.
"""

import ast
import functools
import hashlib
import io
import itertools
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINES = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENCODING, tokenize.ENDMARKER}
FSTRING = [getattr(tokenize, f"FSTRING_{end}", None) for end in ("START", "END")]
DOCUMENTED = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
PACKAGES = "hil|controller|drivers|safety"
IMPORT = re.compile(rf"(?m)^ *(?:from|import) ((?:{PACKAGES})\b\S*)(?: import )?(.*)")
Place = tuple[int, int]  # line, column


def docstrings(text: str) -> Iterator[Place]:
    """The place where each docstring begins."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            yield node.body[0].lineno, node.body[0].col_offset


def tokens(text: str) -> Iterator[tuple[int, Place, str]]:
    """(kind, start, text) of each token."""
    ends, opened = [0, *itertools.accumulate(map(len, text.splitlines(True)))], list[Place]()
    for generate_token in tokenize.generate_tokens(io.StringIO(text).readline):
        if generate_token.type == FSTRING[0]:
            opened.append(generate_token.start)
        elif generate_token.type == FSTRING[1]:
            start = opened.pop()
            if not opened:
                first, last = [
                    ends[line - 1] + column for line, column in (start, generate_token.end)
                ]
                yield tokenize.STRING, start, text[first:last]
        elif not opened:
            yield generate_token.type, generate_token.start, generate_token.string


def code(text: str) -> list[str]:
    """The code tokens of a text, with the tokens that begin and end a block."""
    starts = set(docstrings(text))
    return [
        token for kind, start, token in tokens(text) if kind not in LINES and start not in starts
    ]


@functools.cache
def digest(room: str) -> str:
    """SHA-256 of the code of a folder such as "hil/systems" and of all folders that it imports."""
    rooms, left, hasher = dict[Path, list[Path]](), [ROOT / room], hashlib.sha256()
    while left:
        folder = left.pop()
        if folder not in rooms:
            rooms[folder] = list(folder.glob("*.py"))
            left += [imported for path in rooms[folder] for imported in _imported(path)]
    for path in sorted(itertools.chain(*rooms.values())):
        parts = [str(path.relative_to(ROOT)), *code(path.read_text(encoding="utf-8"))]
        hasher.update("\n".join(parts).encode())
    return hasher.hexdigest()


def _imported(path: Path) -> Iterator[Path]:
    """The folders from which a file imports."""
    for module, names in IMPORT.findall(path.read_text(encoding="utf-8")):
        for name in names.split(", "):
            place = ROOT.joinpath(*module.split("."), name)
            yield next(parent for parent in (place, *place.parents) if parent.is_dir())
