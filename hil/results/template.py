"""The pages of the rig, from the templates of `templates/`; they load nothing from any server. An
HTML template escapes each text but a picture of matplotlib and a part that is rendered already.
"""

import pathlib
from typing import Any

import jinja2
from markupsafe import Markup

Cell = str | dict[str, str]  # a text, or {"mark": "ok" or "no" or "", "text": ...}
TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(pathlib.Path(__file__).with_name("templates")),
    autoescape=jinja2.select_autoescape(["html"]),
    trim_blocks=True,
    undefined=jinja2.StrictUndefined,
    keep_trailing_newline=True,
)


def rendered(name: str, /, **content: Any) -> str:
    """A template of this name, filled."""
    return TEMPLATES.get_template(name).render(**content)


def svg(picture: str) -> Markup:
    """The SVG of matplotlib without its head."""
    return Markup(picture[picture.index("<svg") :])


def marked(is_good: bool | None, text: str) -> Cell:
    """A cell or a line in the colour of its verdict; None: without one."""
    return {"mark": {True: "ok", False: "no", None: ""}[is_good], "text": text}
