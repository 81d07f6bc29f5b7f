"""What every picture goes through: short coordinates, whole labels."""

import re

from reports.charts.svg import svg_of

SPEC = {
    "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
    "data": {"values": [{"x": 0.0012345, "y": 0.00123}, {"x": 0.0187654, "y": 0.00125}]},
    "mark": "point",
    "encoding": {
        "x": {"field": "x", "type": "quantitative", "axis": {"format": "~g", "values": [0.005, 0.01, 0.015]}},
        "y": {"field": "y", "type": "nominal"},
    },
}


def test_a_label_keeps_every_digit_and_a_coordinate_two():
    drawn = svg_of(SPEC)
    assert {"0.005", "0.015", "0.00123"} <= set(re.findall(r">([^<>]+)<", drawn))
    assert not re.search(r"\d\.\d{3}", re.sub(r">[^<>]+<", "><", drawn))


def test_the_same_picture_is_the_same_bytes():
    assert svg_of(SPEC) == svg_of(SPEC)
