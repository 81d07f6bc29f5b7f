"""Layers timed by the difference of whole steps."""

import pytest

import harness.speed.layer_times as layer_times
from backends.contract import Options, Step
from zoo.registry.loader import load_registry
from zoo.search.latency import Load

NANO = load_registry().models["nano-teacher"].architecture


class Clockwork:
    """A backend whose step takes 3 s and 2 s a layer."""

    def __init__(self, layers):
        self.layers, self.now, self.closed = layers, 0.0, False
        self.asked = []

    def stream(self, feed, room, length, clock):
        requests = feed.take(room, True)
        self.asked.append((len(requests), len(requests[0].prompt), room, length))
        for _ in range(requests[0].new_tokens):
            self.now += 3 + 2 * self.layers
            yield Step(self.now, tuple((request.index, 0) for request in requests))

    def close(self):
        self.closed = True


@pytest.fixture
def opened(monkeypatch):
    made = []
    monkeypatch.setattr(
        layer_times, "_opened", lambda _dims, layers, _options, _seed: made.append(Clockwork(layers)) or made[-1]
    )
    monkeypatch.setattr(layer_times, "SECONDS", 0.0)
    return made


def test_a_layer_is_the_slope_and_the_rest_what_is_left(opened):
    found = layer_times.layer_measurer(Options("cpu"))(NANO, Load(2, 100))
    assert (found.layer, found.rest) == (2, 3)
    assert found.step(6) == 15
    assert [each.layers for each in opened] == [3, 6]
    assert all(each.closed for each in opened)


def test_the_cache_holds_the_context_in_the_middle_of_a_trial(opened):
    layer_times.layer_measurer(Options("cpu"))(NANO, Load(2, 100))
    assert opened[0].asked[0] == (2, 76, 2, 76 + 48)


def test_a_trial_ends_at_the_models_context(opened):
    layer_times.layer_measurer(Options("cpu"))(NANO, Load(1, 510))
    assert opened[0].asked[0] == (1, 486, 1, 512)


def test_real_layers_take_time():
    pytest.importorskip("torch")
    found = layer_times.layer_measurer(Options("cpu"))(NANO.model_copy(update={"num_layers": 2}), Load(1, 40))
    assert found.layer >= 0
    assert found.step(2) > 0
