"""Tables in a page of prose, made from the code between their marks."""


def marks(name, program):
    """(first, last) line around the table; program: a path in the repository."""
    return f"<!-- {name}: generated, see {program} -->", f"<!-- end of {name} -->"


def written(page, tables, program):
    """tables: {name: function}. ValueError where one has no marks."""
    for name, table in tables.items():
        first, last = marks(name, program)
        before, rest = page.split(first)
        page = f"{before}{first}\n{table()}\n{last}{rest.split(last)[1]}"
    return page


def write(path, tables, program):
    path.write_text(written(path.read_text(encoding="utf-8"), tables, program), encoding="utf-8")
