"""Importance on several devices, in other types of numbers and in little memory; no GPU is needed for what is promised here."""

import numpy as np
import pytest
import torch
from support.tiny_checkpoints import TERMS, tiny
from support.tolerances import assert_fp32

from zoo.errors import DeviceMemory
from zoo.prune.calibration import Calibration
from zoo.prune.importance import crew, devices, measure
from zoo.prune.importance.settings import Computing, ImportanceSettings
from zoo.prune.importance.streamed import StreamedModel
from zoo.prune.parent import open_parent

ROWS = Calibration("rows", np.random.default_rng(3).integers(0, 96, (7, 19)))
SETTINGS = ImportanceSettings(blocks=(1, 2), perplexity=True)
TWO = ("cpu", "cpu")


def scores(folder, work, told=None, **computing):
    return measure.measure(open_parent(folder), ROWS, SETTINGS, work, told, Computing(**computing))


def test_rows_shared_over_two_devices_give_the_very_scores_of_one(tiny_parent, tmp_path):
    one = scores(tiny_parent("llama"), tmp_path / "one", batch_tokens=40)
    two = scores(tiny_parent("llama"), tmp_path / "two", batch_tokens=40, devices=TWO)
    assert one.arrays.keys() == two.arrays.keys()
    for name, values in one.arrays.items():
        np.testing.assert_array_equal(two.arrays[name], values)
    assert (one.provenance["devices"], two.provenance["devices"]) == (["cpu"], ["cpu", "cpu"])


def test_another_number_of_devices_goes_on_where_one_stopped_and_another_type_begins_anew(tiny_parent, tmp_path):
    def stop(_step, done, _of):
        if done == 3 * len(ROWS.tokens):
            raise KeyboardInterrupt

    def first_told(**computing):
        with pytest.raises(KeyboardInterrupt):
            scores(tiny_parent("llama"), tmp_path / str(computing), stop, batch_tokens=40)
        told = []
        scores(
            tiny_parent("llama"),
            tmp_path / str(computing),
            lambda *words: told.append(words),
            batch_tokens=40,
            **computing,
        )
        return told[0][:2]

    assert first_told(devices=TWO) == ("rows through layers", len(ROWS.tokens) + 2)
    assert first_told(dtype="bfloat16") == ("rows through layers", 2)


def full_beyond(rows, real, where):
    def limited(*args):
        if len(args[where]) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(*args)

    return limited


def test_what_is_too_much_for_the_memory_is_computed_in_halves(tiny_parent, tmp_path, monkeypatch):
    whole = scores(tiny_parent("llama"), tmp_path / "a")
    monkeypatch.setattr(StreamedModel, "through", full_beyond(2, StreamedModel.through, 2))
    monkeypatch.setattr(measure, "nll", full_beyond(2, measure.nll, 2))
    halves = scores(tiny_parent("llama"), tmp_path / "b")
    for name, values in whole.arrays.items():
        assert_fp32(halves.arrays[name], values, TERMS)


def test_a_row_that_is_too_much_for_the_memory_is_refused(tiny_parent, tmp_path, monkeypatch):
    monkeypatch.setattr(StreamedModel, "through", full_beyond(0, StreamedModel.through, 2))
    with pytest.raises(DeviceMemory, match="One row"):
        scores(tiny_parent("llama"), tmp_path / "w")


def test_half_of_what_did_not_fit_is_what_later_batches_begin_with():
    asked = []

    def compute(rows):
        asked.append(rows.stop - rows.start)
        if asked[-1] > 2:
            raise torch.OutOfMemoryError
        return asked[-1]

    with crew.Crew(("cpu",)) as workers:
        assert workers.pieces(0, compute, 8) == [2, 2, 2, 2]
        assert workers.pieces(0, compute, 5) == [2, 2, 1]
    assert asked == [8, 4, 2, 2, 2, 2, 2, 2, 1]


def test_bf16_ranks_nearly_as_fp32_and_says_what_it_is(tiny_parent, tmp_path):
    full = scores(tiny_parent("llama"), tmp_path / "a")
    half = scores(tiny_parent("llama"), tmp_path / "b", dtype="bfloat16")
    assert (full.provenance["dtype"], half.provenance["dtype"]) == ("float32", "bfloat16")
    for name in ("heads", "ffn", "hidden"):
        # a few roundings of 8 bits on the way to an activation, of which a score is an average
        np.testing.assert_allclose(half.arrays[name], full.arrays[name], rtol=16 * 2**-8)


@pytest.mark.parametrize(
    ("device", "code", "says"),
    [
        ("cuda:9", "device-missing", "cuda:9"),
        ("cuda:0,cuda:9", "device-missing", "not cuda:"),
        ("cpu,cpu", "invalid-option", "twice"),
        ("gpu", "invalid-option", "'gpu' is not a device"),
        ("mps", "invalid-option", "mps"),
        ("cpu,", "invalid-option", "''"),
    ],
)
def test_a_device_that_is_none_is_refused_before_anything_is_measured(
    device, code, says, minizoo, tiny_parent, tmp_path
):
    np.save(tmp_path / "ids.npy", ROWS.tokens)
    words = [tiny_parent("llama"), "--calibration", tmp_path / "ids.npy", "--scores-only", "--out", tmp_path / "s"]
    ran = minizoo("prune", *words, "--device", device, "--json")
    assert ran.json()["code"] == code
    assert says in ran.json()["what"]
    assert [path.name for path in tmp_path.iterdir()] == ["ids.npy"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_all_gpus_are_refused_where_there_is_none(minizoo, tiny_parent, tmp_path):
    np.save(tmp_path / "ids.npy", ROWS.tokens)
    words = [tiny_parent("llama"), "--calibration", tmp_path / "ids.npy", "--scores-only", "--out", tmp_path / "s"]
    ran = minizoo("prune", *words, "--device", "all")
    assert (ran.code, "no GPU here" in ran.err) == (4, True)


@pytest.mark.parametrize(("perplexity", "what"), [(False, "A layer"), (True, "The output head")])
def test_a_device_that_cannot_hold_a_layer_or_the_head_is_refused_before_measuring(
    perplexity, what, tmp_path, monkeypatch
):
    monkeypatch.setattr(devices, "free_memory", lambda _device: 1000)
    parent = open_parent(tiny("llama", tmp_path / "parent", vocab_size=2000))
    with pytest.raises(DeviceMemory, match=f"{what} of parent and one row of 19 tokens"):
        measure.measure(parent, ROWS, ImportanceSettings(perplexity=perplexity), tmp_path / "w")
    assert [path.name for path in tmp_path.iterdir()] == ["parent"]
