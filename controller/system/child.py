"""Runs work in a child process, so that a library it imports does not stay in memory."""

import json
import os
from collections.abc import Callable
from typing import Any

from controller.system import json_text


def result(work: Callable[[], Any]) -> Any:
    """The result of `work`, passed as JSON. OSError: no child, or a child without a result."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writing, json.dumps(work()).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as file:
        data = file.read()
    os.waitpid(child, 0)
    if not data:
        raise ChildProcessError(0, "the child process ended without a result")
    return json_text.loads(data)
