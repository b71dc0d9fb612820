"""Names that a file refers to, by the module that has them, under whatever name it imports them;
places of a tree that do something, each of which a table must name.
"""

import ast


def _imports(tree):
    """{name here: dotted name}."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for each in node.names:
                first = each.name.partition(".")[0]
                found[each.asname or first] = each.name if each.asname else first
        elif isinstance(node, ast.ImportFrom):
            for each in node.names:
                found[each.asname or each.name] = f"{node.module or ''}.{each.name}".lstrip(".")
    return found


class References:
    """`dotted(node)`: the whole name of a name or an attribute; "" if it is of no import."""

    def __init__(self, tree):
        self._imports = _imports(tree)

    def dotted(self, node):
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self._imports:
            return ""
        return ".".join([self._imports[node.id], *reversed(parts)])

    def is_of(self, node, names):
        """One of these names, as `json.load`: the last parts of the whole one."""
        dotted = f".{self.dotted(node)}"
        return next((each for each in names if dotted.endswith(f".{each}")), "")


def enclosing(tree):
    """(name of the innermost function, "" of the module; node) of every node."""
    waiting = [("", tree)]
    while waiting:
        name, node = waiting.pop()
        yield name, node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            name = node.name
        waiting += [(name, each) for each in ast.iter_child_nodes(node)]


def places(folder, judge_of, root=None):
    """{"file function"} of the nodes for which judge_of(tree of the file)(node) is true."""
    found = set()
    for path in sorted(folder.rglob("*.py")):
        tree = ast.parse(path.read_text())
        judge, at = judge_of(tree), path.relative_to(root or folder)
        found |= {f"{at} {name}".strip() for name, node in enclosing(tree) if judge(node)}
    return found


def named(table):
    return {line.split(" | ")[0] for line in table.strip().splitlines()}
