"""Runs `firebreak` commands in this process."""

import argparse
import json
import re

from controller import __main__ as cli
from controller.console import users


def run(capsys, command, *more):
    """(exit code, lines on stdout, lines on stderr). command: words; more: further arguments."""
    try:
        code = cli.main([*command.split(), *map(str, more)])
    except SystemExit as leaving:  # argparse
        code = leaving.code
    printed = capsys.readouterr()
    assert printed.err.isascii()
    return code, printed.out.splitlines(), printed.err.splitlines()


def leaves(parser=None, name=""):
    """(name, its parser) of each command, or of each action of a command that has several."""
    parser = parser or cli._parser(["completion"])
    found = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    for each in found:
        for word, below in each.choices.items():
            yield from leaves(below, f"{name} {word}".strip())
    if not found:
        yield name, parser


def lines_of(capsys, command, *more):
    code, out, err = run(capsys, command, *more)
    return code, out + err


def flat(lines):
    """Lines as one text, wherever they were folded."""
    return " ".join(" ".join(lines).split())


def facts_in(lines):
    return json.loads("\n".join(lines))


def cheapen_passwords(monkeypatch):
    monkeypatch.setattr(users, "N", 16)
    monkeypatch.setattr(users, "P", 1)


def refused(capsys, code, words, command, *more):
    found, out, err = run(capsys, command, *more)
    assert (found, out, len(err)) == (code, [], 1), err
    assert re.search(words, err[0]) and err[0].startswith("firebreak: "), err[0]
    assert "Errno" not in err[0]


def answered(monkeypatch, module, name, answer):
    """Let a function of a module return `answer`, or raise it; the list of its arguments."""
    asked = []

    def call(*details):
        asked.append(details)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(module, name, call)
    return asked
