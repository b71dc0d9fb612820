"""What every campaign's command has: `--json`, `--seed`, exit codes, and one line for a refusal."""

import sys

from hil.engine.arguments import output_file, whole
from hil.results.run_result import INTERRUPTED as INTERRUPTED, MET as MET, NOT_MET as NOT_MET

WRONG_INPUT, NO_START = 2, 3


JSON = {"--json": {"metavar": "FILE", "type": output_file(), "help": "write all figures there"}}
# what everything that is drawn follows from
SEED = {
    "--seed": {
        "metavar": "NUMBER",
        "type": whole(0, 2**31 - 1),
        "default": 1,
        "help": "(%(default)s)",
    }
}
# what a result says of the machine, which cannot see it itself
BESIDE = {
    "--beside": {"default": "", "metavar": "TEXT", "help": "what runs on this machine meanwhile"}
}


def add(commands, name, words, run, options):
    """Add a command to argparse's subparsers. run(arguments): the exit code; options: {option:
    keywords of add_argument}.
    """
    parser = commands.add_parser(name, help=words)
    for option, keywords in options.items():
        parser.add_argument(option, **keywords)
    parser.set_defaults(run=run)


def refuse(name, line, exit_code=WRONG_INPUT):
    """Print one line on stderr, headed with the command's name; returns the exit code."""
    print(f"{name}: {line}", file=sys.stderr)
    return exit_code
