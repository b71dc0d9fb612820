"""Lines of safety/: all of them, and those that are code (no blank, comment or docstring), with and without tables."""

import ast
import io
import tokenize

import mutants

IGNORED = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
           tokenize.ENDMARKER)


def lines_of(text):
    """(all lines, lines of code, of these the lines of tables: statements of the module that hold data)."""
    tree = ast.parse(text)
    code = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in IGNORED:
            code |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            code -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    data = [node for node in tree.body if isinstance(node, ast.Assign)]
    tables = {line for node in data for line in range(node.lineno, node.end_lineno + 1)} & code
    return len(text.splitlines()), len(code), len(tables)


def line():
    """One line for the report."""
    whole, code, tables = (sum(column) for column in zip(*(lines_of(source.text) for source in mutants.sources())))
    return f"safety/ has {whole} lines, {code} of code: {code - tables} in functions and classes, {tables} of tables"
