"""A Vega-Lite specification as SVG for a page: the same bytes each time, and ids that no other picture has."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any


def svg_of(spec: dict[str, Any]) -> str:
    """The picture, with ids that are its own: vl-convert counts them through all pictures of a process."""
    import vl_convert

    drawn: str = vl_convert.vegalite_to_svg(spec)
    name = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:8]
    numbers: dict[str, int] = {}

    def own(found: re.Match[str]) -> str:
        return f"{found[1]}{name}-{numbers.setdefault(found[2], len(numbers))}"

    drawn = re.sub(r"<[^>]*>", lambda tag: _shortened(tag[0]), drawn)
    drawn = re.sub(r'(id="|url\(#)(clip\d+)', own, drawn)
    return re.sub(r"^<svg ", '<svg aria-hidden="true" focusable="false" ', drawn, count=1)


def _shortened(tag: str) -> str:
    """A tag's coordinates in hundredths of a pixel; what is written between tags keeps every digit."""
    return re.sub(r"\d+\.\d{3,}", lambda found: f"{float(found[0]):.2f}", tag)
