"""The picture of importance scores: every axis has its panel, whatever the scores and names are."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from reports.charts.importance import importance_svg

LAYERS = 5
SCORES = {
    "heads": np.random.default_rng(0).random((LAYERS, 8)),
    "ffn": np.random.default_rng(1).random((LAYERS, 20)),
    "hidden": np.random.default_rng(2).random((LAYERS, 2, 12)),
    "bi.1": np.random.default_rng(3).random(LAYERS),
    "ppl.2": np.random.default_rng(4).normal(size=LAYERS - 1),
}


def texts(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_every_axis_has_its_panel_and_the_title_says_on_what_data():
    shown = texts(importance_svg(SCORES, "parent on stories.txt"))
    assert "parent on stories.txt" in shown
    panels = [
        "Attention heads", "MLP neurons", "Hidden channels, norm before attention", "Hidden channels, norm before the MLP",
        "Block Influence without one layer", "Perplexity rise without 2 layers from here",
    ]  # fmt: skip
    assert set(panels) <= set(shown)


def test_a_layer_has_a_band_a_box_and_a_tick_and_a_depth_measure_a_bar():
    spread = importance_svg({"heads": SCORES["heads"]}, "")
    bars = importance_svg({"bi.1": SCORES["bi.1"]}, "")
    assert {color: spread.count(f'fill="{color}"') for color in ("#cfe3f5", "#6ba3d6", "#112233")} == dict.fromkeys(
        ("#cfe3f5", "#6ba3d6", "#112233"), LAYERS
    )
    assert bars.count('fill="#d98b4a"') == LAYERS


@pytest.mark.parametrize("values", [np.zeros((3, 4)), np.ones((3, 4)), np.array([[0.0, 1e-30, 1e30]])])
def test_scores_that_a_log_scale_cannot_hold_are_drawn_all_the_same(values):
    svg = importance_svg({"heads": values}, "p")
    ElementTree.fromstring(svg)
    assert not re.search("NaN|Infinity", svg)


def test_hostile_names_cannot_become_markup():
    svg = importance_svg({"<script>.3": SCORES["bi.1"], **SCORES}, '<script>"&\x00\x0b <b>')
    ElementTree.fromstring(svg)
    assert "<script" not in svg
    assert "<b>" not in svg
