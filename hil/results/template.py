"""The texts of the rig, from the templates of `templates/`."""

import pathlib
from typing import Any

import jinja2

from controller.system import worded

TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(pathlib.Path(__file__).with_name("templates")),
    trim_blocks=True,
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
)
TEMPLATES.globals["less"] = worded.less


def rendered(name: str, /, **content: Any) -> str:
    """The template of this name, filled with content."""
    return TEMPLATES.get_template(name).render(**content)
