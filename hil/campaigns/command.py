"""Common parts of the campaigns' commands: options, exit codes, refusals in one line."""

import sys

from hil.engine.arguments import CABINET as CABINET, output_file, whole
from hil.results.run_result import INTERRUPTED as INTERRUPTED, MET as MET, NOT_MET as NOT_MET

WRONG_INPUT, NO_START = 2, 3


JSON = {"--json": {"metavar": "FILE", "type": output_file(), "help": "write all figures to FILE"}}
# the seed of everything that a campaign draws
SEED = {
    "--seed": {
        "metavar": "NUMBER",
        "type": whole(0, 2**31 - 1),
        "default": 1,
        "help": "(%(default)s)",
    }
}
# A note for the result; the benchmark cannot find this out by itself.
BESIDE = {
    "--beside": {"default": "", "metavar": "TEXT", "help": "note: other work on this machine"}
}


def add(commands, name, words, run, options):
    """Add a command to argparse's subparsers.

    run(arguments): returns the exit code; options: {option: keywords of add_argument}.
    """
    parser = commands.add_parser(name, help=words)
    for option, keywords in options.items():
        parser.add_argument(option, **keywords)
    parser.set_defaults(run=run)


def refuse(name, line, exit_code=WRONG_INPUT):
    """Print one line on stderr, which begins with the command's name. Returns the exit code."""
    print(f"{name}: {line}", file=sys.stderr)
    return exit_code
