"""Finds the code tokens of a text and of its functions, without comments and docstrings.

An f-string counts as one token, so that every version of Python finds the same tokens.
"""

import ast
import io
import itertools
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINES = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENCODING, tokenize.ENDMARKER}
FSTRING = [getattr(tokenize, f"FSTRING_{end}", None) for end in ("START", "END")]
DOCUMENTED = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
Place = tuple[int, int]  # line, column


def docstrings(text: str) -> Iterator[Place]:
    """The place where each docstring begins."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            yield node.body[0].lineno, node.body[0].col_offset


def tokens(text: str) -> Iterator[tuple[int, Place, str]]:
    """(kind, start, text) of each token."""
    line_starts, opened = [0, *itertools.accumulate(map(len, text.splitlines(True)))], list[Place]()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == FSTRING[0]:
            opened.append(token.start)
        elif token.type == FSTRING[1]:
            start = opened.pop()
            if not opened:
                first, last = [
                    line_starts[line - 1] + column for line, column in (start, token.end)
                ]
                yield tokenize.STRING, start, text[first:last]
        elif not opened:
            yield token.type, token.start, token.string


def code(text: str) -> list[str]:
    """The code tokens of a text, with the tokens that begin and end a block."""
    starts = set(docstrings(text))
    return [
        token for kind, start, token in tokens(text) if kind not in LINES and start not in starts
    ]


Units = dict[str, list[str]]  # {"Class.method" or "function": its code tokens}; "": all the rest


def units(text: str) -> Units:
    """The code tokens of each function of a text. Those of a function within another one are in the
    outer one. "" has those of modules and classes, with decorators and the names of methods.
    """
    docs, spans, code_of_unit = set(docstrings(text)), sorted(_spans(ast.parse(text))), Units()
    code_of_unit[""] = []
    for kind, start, token in tokens(text):
        while spans and start >= spans[0][1]:
            spans.pop(0)
        name = spans[0][2] if spans and start >= spans[0][0] else ""
        if kind not in LINES and start not in docs:
            code_of_unit.setdefault(name, []).append(token)
    code_of_unit[""] += [f"def {name}" for name in code_of_unit if "." in name]
    return code_of_unit


def _spans(tree: ast.AST, within: str = "") -> Iterator[tuple[Place, Place, str]]:
    """(first place, end, name) of each function that is not within another one."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            end = node.end_lineno or 0, node.end_col_offset or 0
            yield (node.lineno, node.col_offset), end, within + node.name
        elif isinstance(node, ast.ClassDef):
            yield from _spans(node, f"{within}{node.name}.")
        else:
            yield from _spans(node, within)
