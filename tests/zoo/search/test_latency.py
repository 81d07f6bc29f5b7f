"""Latencies: a bare roofline is a lower bound, rows bend it, layers that are timed replace it."""

import pytest

from zoo.arch.gpus import load_gpus
from zoo.errors import ConflictingOptions, DeviceMissing
from zoo.registry.loader import load_registry
from zoo.search.budget import parse_budget
from zoo.search.latency import (
    BareRoofline,
    FittedRoofline,
    LayerTime,
    Load,
    MeasuredStep,
    of_rows,
    roofline_seconds,
)
from zoo.search.planning import Timing, plan_search
from zoo.search.request import SearchRequest

MODELS = load_registry().models
H100 = load_gpus()["h100-sxm"]
LOAD = Load(1, 4096)
MISTRAL, NANO = MODELS["mistral-nemo-12b"].architecture, MODELS["nano-teacher"].architecture


def rows(*names, slowdown=1.3, overhead=9e-6, noise=0.0):
    found = []
    for number, name in enumerate(names):
        dims = MODELS[name].architecture
        exact = slowdown * roofline_seconds(H100, dims, LOAD) + overhead * dims.num_layers
        found.append(MeasuredStep(dims, LOAD, exact * (1 + noise * (-1) ** number)))
    return found


MEASURED = ("llama-3.1-8b", "llama-3.1-minitron-4b-depth", "minitron-4b", "mistral-nemo-12b", "nemotron-3-8b")


def plan(budget, timing, notes=None, parent=MISTRAL, **words):
    request = SearchRequest("the parent", parse_budget(budget), **words)
    return plan_search(request, parent, timing, (notes if notes is not None else []).append)


def test_without_rows_a_latency_is_a_lower_bound():
    bare = of_rows(H100, LOAD, [])
    assert isinstance(bare, BareRoofline)
    assert bare.seconds(MISTRAL) == roofline_seconds(H100, MISTRAL, LOAD)
    assert bare.told.startswith("lower bound")
    assert "no row was measured" in bare.told
    assert not bare.chooses_depth
    assert "3 rows were measured on it, 4 are needed" in of_rows(H100, LOAD, rows(*MEASURED[:3])).told


def test_a_lower_bound_keeps_the_parents_depth_and_says_so():
    notes: list[str] = []
    planned = plan("latency=5ms@h100", Timing(), notes)
    assert {each.shape.layers for each in planned.within} == {40}
    assert "Layers stay as many as the parent's" in notes[0]
    with pytest.raises(ConflictingOptions, match="Depth cannot be chosen against width"):
        plan("latency=5ms@h100", Timing(), axes=("layers", "hidden"))
    alone = plan("latency=5ms@h100", Timing(), axes=("layers",))
    assert len({each.shape.layers for each in alone.within}) > 1


def test_rows_that_follow_the_law_give_it_back_without_error():
    fitted = of_rows(H100, LOAD, rows(*MEASURED))
    assert isinstance(fitted, FittedRoofline)
    assert fitted.slowdown == pytest.approx(1.3)
    assert fitted.overhead == pytest.approx(9e-6)
    assert fitted.error == pytest.approx(0, abs=1e-9)
    child = MODELS["mistral-nemo-minitron-8b"].architecture
    assert fitted.seconds(child) == pytest.approx(1.3 * roofline_seconds(H100, child, LOAD) + 40 * 9e-6)
    assert "5 measured rows" in fitted.told


def test_noise_in_the_rows_shows_in_the_error():
    assert 0.02 < of_rows(H100, LOAD, rows(*MEASURED, noise=0.05)).error < 0.3


def test_a_fit_is_never_faster_than_the_roofline():
    fitted = of_rows(H100, LOAD, rows(*MEASURED, slowdown=0.5, overhead=0.0))
    assert (fitted.slowdown, fitted.overhead) == (1, 0)


def test_rows_of_one_shape_do_not_tell_bytes_from_layers():
    assert "too alike" in of_rows(H100, LOAD, rows(*["llama-3.1-8b"] * 4)).told


def test_with_a_fit_depth_is_searched_too():
    planned = plan("latency=7ms@h100", Timing(rows=lambda _gpu: rows(*MEASURED)))
    assert len({each.shape.layers for each in planned.within}) > 1
    assert planned.costs.told.startswith("A decode step of batch 1 with 4,096 tokens cached; fitted: 1.30 times")


def a_layer(dims, _load):
    """A machine that takes 10 µs and a little a byte for a layer, and 50 µs for the rest."""
    return LayerTime(1e-5 + 1e-11 * dims.hidden_size * dims.ffn_hidden_size, 5e-5 + 1e-10 * dims.hidden_size)


def test_layers_that_are_timed_decide_which_shapes_are_within_the_budget(tmp_path):
    timed = []

    def measure(dims, load):
        timed.append(dims)
        return a_layer(dims, load)

    kept = tmp_path / "times.json"
    request = SearchRequest("nano", parse_budget("latency=85%@cpu:context=100"), candidates=4)
    timing = Timing(measurer=lambda _gpu: measure)
    planned = plan_search(request, NANO, timing, lambda _line: None, kept)
    whole = a_layer(NANO, None).step(6)
    assert planned.costs.parent == pytest.approx(whole)
    for each in planned.tried:
        dims = each.shape.of(NANO)
        assert each.cost == pytest.approx(a_layer(dims, None).step(dims.num_layers))
        assert each.cost == pytest.approx(0.85 * whole, rel=0.05)
    assert planned.costs.told.count("measured:") == 1
    count = len(timed)
    again = plan_search(request, NANO, timing, lambda _line: None, kept)
    assert (again.tried, len(timed)) == (planned.tried, count)  # nothing is timed twice


def test_a_device_that_nobody_times_is_refused():
    with pytest.raises(DeviceMissing):
        plan("latency=5ms@cpu:context=100", Timing(), parent=NANO)
