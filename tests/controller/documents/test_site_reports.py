"""What the reports about a site say after a change of its files (site_reports.txt)."""

import contextlib
import io
import re

from site_files import FIREBREAK, PYLONTECH, SiteFiles
from transcripts import each_part, form, says

from controller import __main__
from controller.documents.document import WIDTH
from controller.sites import FOLDER

NORA = "Nora Toft, 2026-01-01"


def change(files, line):
    """Change the files of a site as a line says."""
    do, _, words = line.replace("<nl>", "\n").partition(" ")
    layer = do.removesuffix(":")
    if do == "accept":
        files.accepted(words.split(), NORA)
    elif do == "act":
        getattr(files, words)()
    elif words.startswith("+ "):
        files.append(layer, words[2:])
    elif words.startswith("- "):
        files.drop(layer, words[2:])
    elif " -> " in words:
        files.replace(layer, *words.split(" -> "))
    else:
        files.say(layer, *words.split(" = ", 1))


def printed(command, path):
    """(exit code, output, lines on stderr) of a command about a site."""
    words = command.split()
    site = [str(path)] if words == ["check"] else ["--site", str(path)]
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        try:
            code = __main__.main([*words, *site])
        except SystemExit as end:
            code = end.code
    return code, out.getvalue(), err.getvalue().splitlines()


@each_part(__file__, "site_reports.txt")
def test_a_report(tmp_path, lines):
    files = SiteFiles(tmp_path, PYLONTECH if lines[0] == "files pylontech" else FIREBREAK)
    for step in re.split(r"\n(?=[a-z$])", "\n".join(lines).rstrip("\n")):
        line, *lines = step.splitlines()
        if not line.startswith("$ "):
            if not line.startswith("files "):
                change(files, line)
            continue
        command, _, wanted = line[2:].partition(" => ")
        words, _, shipped = command.partition(" of ")
        path = FOLDER / shipped / "cabinet.toml" if shipped else files.paths[2]
        code, out, err = printed(words, path)
        assert code == int(wanted or 0), (line, err)
        widest = max([len(each) for each in out.splitlines() if "doubt: " not in each], default=0)
        assert widest <= WIDTH or words != "check"
        refusals = [each[2:] for each in lines if each[0] == "!"]
        assert len(err) == len(refusals), err
        for found, refusal in zip(err, refusals):
            assert re.search(form(refusal), found), found
        for each in lines:
            if each[0] != "!":
                assert says(out, each[2:]) == (each[0] == " "), f"{line}: {each}"
