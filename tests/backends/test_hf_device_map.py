"""Layers placed one by one by accelerate: the same numbers as on one device, and no silent reading from the disk.

Two GPUs are not here: a CPU with some layers left on the disk has the same hooks at the same places.
"""

from functools import partial

import pytest

from backends.contract import GenerateRequest, Options, ScoreRequest
from backends.hf.backend import HfBackend
from backends.hf.loading import load_placed, load_pretrained, load_spread
from zoo.checkpoint.locate import locate
from zoo.errors import DeviceMemory, DeviceMissing, InvalidOption

PLACES = {
    "all on one": {"": "cpu"},
    "layers on two": {"model.embed_tokens": "cpu", "model.norm": "cpu", "model.rotary_emb": "cpu", "lm_head": "cpu"}
    | {f"model.layers.{layer}": "disk" if 2 <= layer < 4 else "cpu" for layer in range(6)},
}
SCORES = [ScoreRequest((5, 9, 30), (77, 12, 400), per_token=True), ScoreRequest(tuple(range(2, 90)), (3,))]
PROMPTS = [GenerateRequest((5, 9, 30), 6), GenerateRequest((7,), 4)]


@pytest.fixture(scope="module")
def checkpoint():
    return locate("nano-teacher")


def answers(checkpoint, load):
    backend = HfBackend(checkpoint, Options(device="cpu", eager=True), load)
    try:
        scores = sorted(backend.score(SCORES), key=lambda each: each.index)
        return scores, sorted(backend.generate(PROMPTS), key=lambda each: each.index)
    finally:
        backend.close()


@pytest.fixture(scope="module")
def plain(checkpoint):
    return answers(checkpoint, load_pretrained)


@pytest.mark.parametrize("how", PLACES)
def test_a_placed_model_gives_the_same_numbers(checkpoint, plain, how):
    placed = []

    def load(*words):
        placed.append(load_placed(*words, PLACES[how]))
        return placed[0]

    assert answers(checkpoint, load) == plain
    devices = {str(each) for each in getattr(placed[0], "hf_device_map", {"": "cpu"}).values()}
    assert devices == set(PLACES[how].values())


def test_a_model_that_all_devices_together_do_not_hold_is_refused(checkpoint):
    with pytest.raises(DeviceMemory, match="does not fit into the memory of cpu together"):
        load_placed(checkpoint, "cpu", "float32", "balanced", {"cpu": 2_000_000})
    model = load_placed(checkpoint, "cpu", "float32", "balanced", {"cpu": 1 << 30})
    assert model.device.type == "cpu"


def test_layers_are_spread_over_gpus_alone(checkpoint):
    with pytest.raises(InvalidOption, match="cpu is none"):
        load_spread(checkpoint, "cpu", "float32", ["cpu", "cpu"])
    with pytest.raises((DeviceMissing, InvalidOption)):
        HfBackend(checkpoint, Options(devices=("cuda:98", "cuda:99")))


def test_several_devices_reach_the_loader_in_the_plain_form(checkpoint):
    load = partial(load_placed, places={"": "cpu"})
    backend = HfBackend(checkpoint, Options(devices=("cpu", "cpu")), load)
    assert backend.versions["scoring"] == "plain, its layers on cpu, cpu"
    assert not backend.shares_prefixes
    backend.close()
