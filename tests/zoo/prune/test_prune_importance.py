"""Streamed scores are those of hooks on the whole model in memory, whatever the batching, order or interruption."""

import math

import numpy as np
import pytest
import torch
from support.tiny_checkpoints import FAMILIES, TERMS, load, tiny
from support.tolerances import assert_fp32

from zoo.errors import InvalidCalibration, OtherParent, WeightsNotFinite
from zoo.prune.calibration import Calibration, CalibrationText, Sampling, read_calibration
from zoo.prune.importance.aggregate import FUNCTIONS, Aggregation, BatchSums, along_sequence
from zoo.prune.importance.block_costs import block_costs, remembered
from zoo.prune.importance.measure import measure
from zoo.prune.importance.settings import Computing, ImportanceSettings
from zoo.prune.parent import open_parent
from zoo.prune.scores import load_scores, random_scores, save_scores
from zoo.prune.target import Target, child_shape

ROWS = np.random.default_rng(3).integers(0, 96, (6, 19))


def reduce_over(values: torch.Tensor, function: str, dim: int) -> torch.Tensor:
    """The paper's definitions, written out."""
    n = values.shape[dim]
    if function == "mean":
        return values.abs().sum(dim) / n
    if function == "l2":
        return (values**2).sum(dim).sqrt()
    return ((values - values.mean(dim, keepdim=True)) ** 2).sum(dim) / n


def in_memory(folder, how, neurons, family):
    """heads, ffn, hidden by hooks on the whole model, one pass over all rows."""
    model, seen = load(folder), {}

    def keep(name, pick):
        return lambda _m, args, out=None: seen.__setitem__(name, pick(args, out).double())

    for i, layer in enumerate(model.model.layers):
        layer.self_attn.o_proj.register_forward_pre_hook(keep(f"heads{i}", lambda a, _: a[0]))
        first = layer.mlp.up_proj if family == "nemotron" else layer.mlp.gate_proj
        if neurons == "post":
            layer.mlp.down_proj.register_forward_pre_hook(keep(f"ffn{i}", lambda a, _: a[0]))
        else:
            first.register_forward_hook(keep(f"ffn{i}", lambda _, out: out))
        layer.input_layernorm.register_forward_hook(keep(f"norm{i}0", lambda _, out: out))
        layer.post_attention_layernorm.register_forward_hook(keep(f"norm{i}1", lambda _, out: out))
    with torch.no_grad():
        hidden = model(torch.from_numpy(ROWS), output_hidden_states=True, use_cache=False).hidden_states

    def score(values):
        return reduce_over(reduce_over(values, how.sequence, 1), how.batch, 0).numpy()

    layers = range(4)
    return {
        "heads": np.stack([score(seen[f"heads{i}"].unflatten(-1, (6, 12)).norm(dim=-1)) for i in layers]),
        "ffn": np.stack([score(seen[f"ffn{i}"]) for i in layers]),
        "hidden": np.stack([np.stack([score(seen[f"norm{i}{j}"]) for j in (0, 1)]) for i in layers]),
    }, hidden


def streamed(folder, work, how=None, rows=ROWS, **changes):
    computing = Computing(**{k: changes.pop(k) for k in ("devices", "dtype", "batch_tokens") if k in changes})
    settings = ImportanceSettings(aggregation=how or Aggregation(), **changes)
    return measure(open_parent(folder), Calibration("rows", rows), settings, work, computing=computing)


@pytest.mark.parametrize("neurons", ["post", "pre"])
@pytest.mark.parametrize("family", FAMILIES)
def test_streamed_scores_equal_in_memory_hooks(family, neurons, tiny_parent, tmp_path):
    folder = tiny_parent(family)
    expected, _ = in_memory(folder, Aggregation(), neurons, family)
    found = streamed(folder, tmp_path / "w", neurons=neurons)
    for name, values in expected.items():
        assert_fp32(found.arrays[name], values, TERMS)


@pytest.mark.parametrize("batch", FUNCTIONS)
@pytest.mark.parametrize("sequence", FUNCTIONS)
def test_every_aggregation_equals_its_definition(batch, sequence, tiny_parent, tmp_path):
    folder, how = tiny_parent("llama"), Aggregation(batch, sequence)
    expected, _ = in_memory(folder, how, "post", "llama")
    found = streamed(folder, tmp_path / "w", how)
    for name, values in expected.items():
        assert_fp32(found.arrays[name], values, TERMS)


def test_batch_size_and_order_of_rows_do_not_change_scores(tiny_parent, tmp_path):
    folder = tiny_parent("mistral")
    whole = streamed(folder, tmp_path / "a", blocks=(1, 2), perplexity=True)
    shuffled = streamed(folder, tmp_path / "b", rows=ROWS[::-1].copy(), blocks=(1, 2), perplexity=True, batch_tokens=40)
    for name, values in whole.arrays.items():
        assert_fp32(shuffled.arrays[name], values, TERMS)


@pytest.mark.parametrize("family", FAMILIES)
def test_block_influence_and_perplexity_drops_equal_those_of_whole_models(family, tiny_parent, tmp_path):
    folder = tiny_parent(family)
    found = streamed(folder, tmp_path / "w", blocks=(1, 2), perplexity=True)
    model, ids = load(folder), torch.from_numpy(ROWS)
    seen = []
    model.model.layers[0].register_forward_pre_hook(lambda _m, args: seen.append(args[0]))
    for layer in model.model.layers:
        layer.register_forward_hook(lambda _m, _a, out: seen.append(out))
    with torch.no_grad():
        base = math.exp(float(model(ids, labels=ids).loss))
    for n in (1, 2):
        influence = [1 - float(torch.cosine_similarity(seen[i], seen[i + n], dim=-1).mean()) for i in range(4 - n + 1)]
        assert_fp32(1 - found.arrays[f"bi.{n}"], 1 - np.array(influence), TERMS)  # cosines
        drops = []
        for first in range(4 - n + 1):
            rest = load(folder)
            kept = [layer for i, layer in enumerate(rest.model.layers) if not first <= i < first + n]
            rest.model.layers = torch.nn.ModuleList(kept)
            rest.config.num_hidden_layers = len(kept)
            with torch.no_grad():
                drops.append(math.exp(float(rest(ids, labels=ids, use_cache=False).loss)) - base)
        assert_fp32(base + found.arrays[f"ppl.{n}"], base + np.array(drops), TERMS)  # perplexities


LAYERS, HEADS = "rows through layers", "perplexities of models without a block"


@pytest.mark.parametrize(("stop", "again"), [((LAYERS, 6 * 3), LAYERS), ((HEADS, 3), HEADS)])
def test_an_interrupted_measurement_goes_on_after_the_last_finished_step(
    stop, again, tiny_parent, tmp_path, monkeypatch
):
    folder = tiny_parent("llama")
    expected = streamed(folder, tmp_path / "a", blocks=(1, 2), perplexity=True)
    settings = ImportanceSettings(blocks=(1, 2), perplexity=True)
    seen = []

    def interrupt(step, done, _of):
        if (step, done) == stop:
            raise KeyboardInterrupt

    parent, rows = open_parent(folder), Calibration("rows", ROWS)
    with pytest.raises(KeyboardInterrupt):
        measure(parent, rows, settings, tmp_path / "b", interrupt)
    found = measure(parent, rows, settings, tmp_path / "b", lambda *told: seen.append(told))
    assert (seen[0][0], seen[0][1] > 0) == (again, again == LAYERS)
    assert found.arrays.keys() == expected.arrays.keys()
    for name, values in expected.arrays.items():
        np.testing.assert_array_equal(found.arrays[name], values)
    assert found.digest() == expected.digest()


def test_progress_of_other_settings_is_not_taken_over(tiny_parent, tmp_path):
    folder = tiny_parent("llama")
    streamed(folder, tmp_path / "w")
    again = streamed(folder, tmp_path / "w", Aggregation("mean", "l2"))
    fresh = streamed(folder, tmp_path / "v", Aggregation("mean", "l2"))
    np.testing.assert_array_equal(again.arrays["ffn"], fresh.arrays["ffn"])


def test_large_half_precision_activations_do_not_overflow():
    values = torch.full((1, 300, 2), 60000.0, dtype=torch.float16)
    sums = BatchSums(2)
    for _ in range(4):
        sums.add(along_sequence(values, "mean").double().numpy())
    np.testing.assert_allclose(sums.score("l2"), [120000.0, 120000.0], rtol=2**-11)  # 60,000 and a half step of fp16


def test_nan_weights_stop_the_measurement(tiny_parent, tmp_path):
    model = load(tiny_parent("llama"))
    model.model.layers[1].mlp.up_proj.weight.data[3, 3] = math.nan
    model.save_pretrained(tmp_path / "nan")
    with pytest.raises(WeightsNotFinite, match="Layer 1"):
        streamed(tmp_path / "nan", tmp_path / "w")


def test_scores_are_saved_with_their_provenance_and_come_back_equal(tiny_parent, tmp_path):
    folder = tiny_parent("llama")
    scores = streamed(folder, tmp_path / "w")
    save_scores(tmp_path / "s.safetensors", scores)
    back = load_scores(tmp_path / "s.safetensors")
    assert back.digest() == scores.digest()
    assert back.provenance["parent_digest"] == open_parent(folder).digest
    assert back.provenance["calibration_digest"] == Calibration("rows", ROWS).digest
    narrow = child_shape(open_parent(folder).dims, Target(ffn=40))
    assert back.ranking(narrow).selection.scores_digest == scores.digest()


def test_scores_of_another_parent_are_refused(tiny_parent, tmp_path):
    folder = tiny_parent("llama")
    one, other = open_parent(folder), open_parent(tiny("llama", tmp_path / "q", seed=9))
    assert one.digest != other.digest
    scores = streamed(folder, tmp_path / "w")
    scores.check_dims(one.dims, one.digest)
    with pytest.raises(OtherParent):
        scores.check_dims(other.dims, other.digest)
    with pytest.raises(OtherParent):
        random_scores(one.dims, 0).check_dims(other.dims.model_copy(update={"hidden_size": 12}), None)


def test_downstream_costs_are_kept_as_they_come(tmp_path):
    calls = []

    def score(kept):
        calls.append(tuple(kept))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return float(sum(kept))

    with pytest.raises(KeyboardInterrupt):
        block_costs(4, 2, remembered(score, tmp_path, "key"))
    base, costs = block_costs(4, 2, remembered(score, tmp_path, "key"))
    assert calls == [(0, 1, 2, 3), (2, 3), (2, 3), (0, 3), (0, 1)]
    np.testing.assert_array_equal(costs, [1.0, 3.0, 5.0])
    assert base == 6.0


def test_sixteen_bit_token_ids_are_refused(tmp_path):
    np.save(tmp_path / "ids.npy", np.arange(100, dtype=np.uint16))
    with pytest.raises(InvalidCalibration, match="uint16"):
        read_calibration(CalibrationText(tmp_path / "ids.npy"), 200, Sampling(length=10))
    np.save(tmp_path / "ids.npy", np.arange(100, dtype=np.uint32))
    rows = read_calibration(CalibrationText(tmp_path / "ids.npy"), 200, Sampling(length=10, samples=4))
    assert rows.tokens.shape == (4, 10)


@pytest.mark.parametrize(
    ("name", "content", "token"),
    [
        ("short.txt", "x", 1),
        ("other.jsonl", '{"txt": 1}', 1),
        ("broken.npy", "no array", 1),
        ("outside.txt", "x" * 40, 200),
    ],
)
def test_calibration_that_cannot_be_used_is_refused(name, content, token, tmp_path):
    (tmp_path / name).write_text(content)
    text = CalibrationText(tmp_path / name, lambda texts: [[token] * len(t) for t in texts], bos=0)
    with pytest.raises(InvalidCalibration, match=name):
        read_calibration(text, 200, Sampling(length=10))
