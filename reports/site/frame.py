"""What every page has: the policy that lets nothing foreign in, the style, the way to the other pages, and no clock.

A page is one file: styles and scripts stand in it, and it asks for nothing. Text from models, prompts and records reaches a
template as text and is escaped there (autoescape); characters that no page may hold become U+FFFD.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

from reports.cells import writable
from reports.site.addresses import NAVIGATION, relative

STYLE = "site.css"


def page(
    template: str,
    here: str,
    title: str,
    *,
    styles: Sequence[str] = (),
    scripts: Sequence[str] = (),
    data: Any = None,
    description: str = "",
    **context: Any,
) -> str:
    """Render `template` (which extends base.html.j2) as the page at address `here`.

    styles, scripts: further files of reports/templates. `data` becomes the JSON in `<script type="application/json"
    id="data">`, for the scripts. In the template `link(address)` is the way from here, `title` the page's heading.
    """
    script = "".join(asset(name) for name in scripts)
    made: str = (
        environment()
        .get_template(template)
        .render(
            here=here,
            title=title,
            description=description,
            navigation=NAVIGATION,
            link=lambda target: relative(here, target),
            style="".join(asset(name) for name in (STYLE, *styles)),
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            data="" if data is None else as_json(data),
            **context,
        )
    )
    return writable(made)


def as_json(value: Any) -> str:
    """JSON that ends no script element, whatever text is in it, without blanks; NaN and infinities are refused."""
    told = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return told.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@functools.cache
def asset(name: str) -> str:
    """A file of reports/templates, as text."""
    return resources.files("reports").joinpath("templates", name).read_text(encoding="utf-8")


@functools.cache
def environment() -> Any:
    """Jinja with everything escaped and nothing undefined let through."""
    import jinja2

    return jinja2.Environment(
        loader=jinja2.PackageLoader("reports"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
