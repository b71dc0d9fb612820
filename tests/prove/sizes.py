"""Lines of safety/: all, and code (no blank, comment, docstring), with and without tables."""

import ast
import io
import tokenize

import mutants

IGNORED = "COMMENT NL NEWLINE INDENT DEDENT ENCODING ENDMARKER".split()


def lines_of(text):
    """(all lines, lines of code, of these the lines of tables)."""
    tree = ast.parse(text)
    code = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if tokenize.tok_name[token.type] not in IGNORED:
            code |= set(range(token.start[0], token.end[0] + 1))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    for node in [node for node in ast.walk(tree) if isinstance(node, documented)]:
        if ast.get_docstring(node) is not None:
            code -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    data = [node for node in tree.body if isinstance(node, ast.Assign)]
    tables = {line for node in data for line in range(node.lineno, node.end_lineno + 1)} & code
    return len(text.splitlines()), len(code), len(tables)


def imported(tree):
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "safety":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("safety."):
            found.add(node.module.removeprefix("safety."))
    return found


def part_of(sources, name="kernel"):
    trees = {source.name: source.tree for source in sources}
    found, new = set(), {name} & set(trees)
    while new:
        found |= new
        new = set().union(*(imported(trees[each]) for each in new)) - found
    return found


def lines():
    sources = mutants.sources()
    kernel = part_of(sources)
    for name, is_kernel in (("the kernel", True), ("the second channel", False)):
        share = [source for source in sources if (source.name in kernel) == is_kernel]
        if share:
            whole, code, tables = map(sum, zip(*[lines_of(source.text) for source in share]))
            of_code = f"{code - tables} in functions and classes, {tables} of tables"
            yield f"{name}: {whole} lines, {code} of code: {of_code}"
