"""`firebreak audit` of a record (audit.txt)."""

from controller import __main__ as program
from tests.transcript import by_word, each_part, terminal

NAMES = {"SIX_S": "load.csv --rules six_s.toml", "MINE": "load.csv --rules mine.toml"}
RULES = {
    "TOP": 'operator = "A"\ndocument = "B"\ndate = 2026-01-01\nprovenance = "read"',
    "RANGE": '[rule.a]\nquantity = "range"\nwindow_s = 5.0',
    "CHANGE": '[rule.a]\nquantity = "change"',
    "RIDE": '[rule.a]\nquantity = "ride_through"\nnormal_pu = [0.9, 1.1]',
}
SIX_S = RULES["TOP"], '[rule.a]\nquantity = "range"\nwindow_s = 6.0\nlimit_MW = 10'


class Record:
    """The lines of load.csv."""

    def __init__(self):
        self.step_s, self.at_s, self.lines = 0.02, 0.0, []
        self.rules(*SIX_S, path="six_s.toml")

    def file(self, *lines):
        self.lines, self.at_s = [*lines], 0.0
        self.write()

    def write(self):
        with open("load.csv", "w", encoding="ascii") as file:
            file.write("\n".join(self.lines) + "\n")

    def step(self, step_s):
        self.step_s = float(step_s)

    def gap(self, length_s):
        self.at_s += float(length_s)

    def add(self, count, *levels):
        times_s = [self.at_s + at * self.step_s for at in range(int(count) + 1)]
        self.at_s = times_s.pop()
        self.lines += [",".join([f"{t_s:.9f}", *levels]) for t_s in times_s]
        self.write()

    def thin(self):
        """Take every tenth row away."""
        head, *rows = self.lines
        self.lines = [head, *[row for at, row in enumerate(rows) if at % 10]]

    def rules(self, *lines, path="mine.toml"):
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join([RULES.get(line, line) for line in lines]))


@each_part(__file__, "audit.txt")
def test_audit(part, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record = Record()
    names = "file step gap add thin rules".split()
    steps = {name: getattr(record, name) for name in names}
    part.play(by_word({"$": terminal(capsys, program.main), **steps}, NAMES))
