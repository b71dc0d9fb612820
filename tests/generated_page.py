"""Tables in a page of prose that are made from the code: found between their marks, and written
there anew.
"""


def marks(name, program):
    """(first, last) line around the table `name` that `program`, a path in the repository,
    makes.
    """
    return f"<!-- {name}: generated, see {program} -->", f"<!-- end of {name} -->"


def written(page, tables, program):
    """The text with each of `tables`, {name: function}, as it should be. ValueError where one has
    no marks.
    """
    for name, table in tables.items():
        first, last = marks(name, program)
        before, rest = page.split(first)
        page = f"{before}{first}\n{table()}\n{last}{rest.split(last)[1]}"
    return page


def write(path, tables, program):
    """Write the page at `path` anew."""
    path.write_text(written(path.read_text(encoding="utf-8"), tables, program), encoding="utf-8")
