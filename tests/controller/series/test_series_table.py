"""Tables of every dialect: separators, decimal marks, encodings, and what is no table."""

import functools
import gzip
import math

import pytest
from hypothesis import given, strategies as st
from series_files import answer, written

from controller.series import powers, table, text
from tests.tables import cases

packed = functools.partial(gzip.compress, mtime=0)  # the same name of a test in each process


def rows(path, *given):
    with table.opened(path, *given) as found:
        return found.names, [cells for _, cells in found], found.has_comma


def load_W(path):
    with table.opened(path) as found:
        return [power_W for _, power_W, _ in powers.Powers(found, None, 1.0, 50e6)]


@cases(r"""data  powers_W
    "t_s,load_W\n0,1.5\n1,2\n"  [1.5, 2]
    "t_s;load_W\n0;1,5\n1;2\n"  [1.5, 2]
    "t_s\tload_W\n0\t1,5\n1\t2\n"  [1.5, 2]
    't_s,load_W\n0,"1,5"\n1,2\n'  [1.5, 2]
    't_s;load, W\n0;1,5\n1;2\n'  [1.5, 2]
    "t_s,load_W,a;b\n0,1.5,x\n1,2,y\n"  [1.5, 2]
    '"t_s","load_W"\n"0","1.5"\n"1","2"\n'  [1.5, 2]
    "sep=;\nt_s;load_W\n0;1,5\n1;2\n"  [1.5, 2]
    "\ufefft_s,load_W\r\n0,1.5\r\n\r\n1,2"  [1.5, 2]
    "t_s,load_W\r0,1.5\r1,2\r"  [1.5, 2]
    " t_s , load_W \n 0 , 1.5 \n 1,2\n"  [1.5, 2]
    "t_s,load_W,\n0,1.5,\n1,2,,\n"  [1.5, 2]
    "t_s;load_W;\n0;1,5;\n1;2;\n;;\n;;\n"  [1.5, 2]
    "t_s,load_kW\n0,1.5e-3\n1,+.002\n"  [1.5, 2]
    "t_s,load [MW]\n0,0.0000015\n1,2e-6\n"  [1.5, 2]
    "t_s;load_W\n0;1234,5\n1;0,125\n"  [1234.5, 0.125]
    "t_s;load_W\n0;1,234\n1;1,5\n"  [1.234, 1.5]
    "t_s;load_W\n0;1,5e0\n1;0,2E+1\n"  [1.5, 2]
    "t_s,load_W\n0,1.5\n1,2\n".encode("utf-16")  [1.5, 2]
    packed(b"t_s,load_W\n0,1.5\n1,2\n")  [1.5, 2]
    "t_ms,load_W\n0,1.5\n1,2\n"  [1.5, 2]
    "t_rest_h,t_s,load_W\n9,0,1.5\n9,1,2\n"  [1.5, 2]
    "time,load_W\n2026-05-01T00:00,1.5\n2026-05-01T00:15,2\n"  [1.5, 2]
    "time, power.draw [W]\n2026/05/01 00:00:00.123, 1.5 W\n2026/05/01 00:00:01.1, 2 W\n"  [1.5, 2]
    "Datum;Zeit;Leistung kW\n01.05.2026;00:00;0,0015\n01.05.2026;00:15;0,002\n"  [1.5, 2]
    "unix_timestamp,load_W\n1777593600,1.5\n1777593660,2\n"  [1.5, 2]
    "Time,load_W\n1777593600000,1.5\n1777593660000,2\n"  [1.5, 2]
    "time;power\n;[W]\n2026-05-01 00:00;1,5\n2026-05-01 00:01;2\n"  [1.5, 2]
""")
def test_every_dialect_reads_as_the_same_numbers(tmp_path, data, powers_W):
    found, refused = answer(load_W, written(tmp_path, data))
    assert not refused and found == pytest.approx(powers_W)


@cases(r"""data  line
    "0,1\n1,2\n"  "line 1: no header, but '0', '1': allowed is a header first: a line"
    "2026-05-01T00:00,50\n"  "line 1: no header, but '2026-05-01T00:00', '50'"
    "1.234,50;2\n"  "line 1: no header, but '1.234,50', '2'"
    "01.05.2026;x\n"  "line 1: no header, but '01.05.2026', 'x'"
    "2026-05-01;35,70\n"  "line 1: no header, but '2026-05-01', '35,70'"
    ""  "no time column t_s (seconds) in the header: "
    "t_s,load_W\n0,12,5\n"  "line 2: 3 cells ('0', '12', '5'): allowed are 2, as in the header; a "
    "t_s;load_W\n0;1,234\n"  "line 2: load_W = '1,234' may have a mark of thousands"
    "t_s;load_W\n0;1.234,5\n"  "line 2: load_W = '1.234,5' may have a mark of thousands"
    "t_s;load_W\n0;1,234,567\n"  "line 2: load_W = '1,234,567' may have a mark of thousands"
    "t_s;load_W\n0;1,5\n1;2.5\n"  "line 3: load_W = '2.5' beside decimal commas: allowed is one"
    't_s,load_W\n0,"1\n1,2\n'  "line 2: a quote is not closed or stands within a cell"
    't_s,load_W\n0,"1"5\n'  "line 2: a quote is not closed or stands within a cell"
    "t_s,load\n0,1\n"  "no power column (its name ends in _kW or _W) in the header: t_s, load"
    "t_s|load_W\n0|1\n"  "no time column t_s (seconds) in the header: t_s|load_W"
    "t_s,t_s,load_W\n"  "column t_s is twice in the header; allowed is once"
    "t_s,load_W\x1b[0m\n0,1\n"  r"line 1: 'load_W\x1b[0m': allowed is a printable name"
    b"t_s,load_W\n0,1\n1,\xb0\n"  "line 3: not UTF-8 text: allowed is text in UTF-8, or gzip of it"
    "t_s,load_W\n".encode("utf-16-le")  "not UTF-8 text: allowed is text in UTF-8, or gzip of it"
    packed(b"t_s,load_W\n")[:-8] + bytes(8)  "gzip is damaged: allowed is a whole file"
    b"\x1f\x8b\x08\x00"  "gzip is damaged: allowed is a whole file"
    packed(b"t_s,load_W\n0,1\n")[:-9]  "gzip is damaged: allowed is a whole file"
    "a" * 70_000  "line 1: longer than 65535 characters"
    packed(bytes(1 << 26))  "line 1: longer than 65535 characters"
    "t_s,load_W" + ",a" * 999  "line 1: 1001 columns: allowed 1000"
""")
def test_what_is_no_table_is_one_line(tmp_path, data, line):
    assert answer(load_W, written(tmp_path, data))[1].startswith(line)


def test_a_file_that_cannot_be_opened_is_one_line(tmp_path):
    assert answer(rows, tmp_path / "none")[1] == "cannot be read: No such file or directory"
    assert answer(rows, tmp_path)[1] == "cannot be read: Is a directory"
    path = tmp_path / "a\0b"
    with pytest.raises(table.SeriesError, match="cannot be read: its name has a character that no"):
        rows(path)


def test_the_text_of_a_whole_file_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "CHARACTERS_MAX", 1 << 10)
    refused = answer(rows, written(tmp_path, "t_s,load_W\n" * 99))[1]
    assert refused.startswith("has more than 0 MiB of text")


def test_only_the_allowed_separators_are_taken(tmp_path):
    path = written(tmp_path, "a;b\n1;2\n")
    assert rows(path)[1] == [["1", "2"]]
    assert answer(rows, path, ",")[1] == "line 1: the separator is ';': allowed is ','"
    assert answer(rows, written(tmp_path, "sep=|\na|b\n"))[1].startswith("line 1: the separator is")


@cases("""cell
    "" | " " | "x" | "N/A" | "[N/A]" | "nan" | "inf" | "-Infinity" | "1_000" | "0x10" | "1e999"
    "\\u0663" | "--" | "1 000" | "1'000" | "12:30" | "None" | "a,b" | "\\u22125"
""")
def test_a_cell_without_a_number_is_none(cell):
    assert math.isnan(table.number(cell, False))


VALUES = st.floats(-9000, 9000, allow_nan=False).map(lambda value: round(value, 2) + 0.0)


@given(
    st.lists(VALUES, min_size=2, max_size=20),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from([".", ","]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.booleans(),
    st.booleans(),
)
def test_a_series_in_any_dialect_reads_back_equal(
    tmp_path_factory, values, separator, mark, end, encoding, is_quoted, is_packed
):
    """Two decimals: a comma before three digits may be a mark of thousands, and is refused."""
    quote = '"' if is_quoted or separator == mark else ""
    cells = [f"{quote}{value:.2f}{quote}".replace(".", mark) for value in values]
    lines = [f"t_s{separator}load_W", *[f"{at}{separator}{cell}" for at, cell in enumerate(cells)]]
    data = (end.join(lines) + end).encode(encoding)
    path = written(tmp_path_factory.getbasetemp(), packed(data) if is_packed else data)
    assert load_W(path) == [value for value in values if value not in powers.BLANKS]
