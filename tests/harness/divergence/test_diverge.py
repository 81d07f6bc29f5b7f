"""Two real models over the prompts of real tasks, against the dense formula in fp64; and what cannot be compared, by name."""

import dataclasses
import functools
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.diverging import asking

from backends.contract import ScoreRequest
from backends.hf import distributions
from backends.opening import open_backend
from harness.accuracy.prepare import prepare
from harness.divergence.run import diverge
from harness.divergence.watcher import Silent
from zoo.checkpoint.locate import locate
from zoo.errors import NoDistributions, OtherTokens, ScoresNotFinite, UnknownModel
from zoo.prune.parent import open_parent
from zoo.prune.plan import read_plan
from zoo.prune.write.writer import write_child

PRUNED = "nano-width-pruned"


@pytest.fixture(scope="module", autouse=True)
def made_once():
    """Prompts of a request, and a registry model in memory, are made once for all tests."""
    opened = {}
    prepare_once = functools.cache(prepare)

    def open_once(checkpoint, name, options):
        if checkpoint.model is None:
            return open_backend(checkpoint, name, options)
        key = (checkpoint.name, name, options)
        if key not in opened:
            opened[key] = open_backend(checkpoint, name, options)
            opened[key].close = lambda: None
        return opened[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.divergence.run.open_backend", open_once)
        patch.setattr("harness.divergence.run.prepare", lambda request, tell: prepare_once(request))
        yield


@pytest.fixture(scope="module")
def found(made_once):
    return diverge(asking("nano-teacher"), asking(PRUNED))


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """The pruned model, a plan, as a folder of weights that transformers itself reads."""
    folder, teacher = locate(PRUNED).folder, locate("nano-teacher").folder
    out = tmp_path_factory.mktemp("cut") / PRUNED
    write_child(read_plan(folder / "plan.json"), open_parent(teacher), out)
    return out


@pytest.fixture(scope="module")
def dense(cut):
    """Every context of the prompts once, through both models' own forward passes in fp64: (log p of A, of B) a context,
    and the tokens that follow it."""
    from transformers import AutoModelForCausalLM

    models = [
        AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval()
        for folder in (locate("nano-teacher").folder, cut)
    ]
    contexts: dict[tuple[int, ...], tuple[torch.Tensor, ...]] = {}
    following: set[tuple[tuple[int, ...], int]] = set()
    for unit in (unit for plan in prepare(asking("nano-teacher")).plans for unit in plan.units):
        request = unit.request
        scored = isinstance(request, ScoreRequest)
        whole = request.context + request.continuation if scored else request.prompt
        fed = whole[:-1] if scored else whole
        with torch.no_grad():
            both = [model(torch.tensor([fed])).logits[0].log_softmax(-1) for model in models]
        contexts |= {fed[: at + 1]: tuple(each[at] for each in both) for at in range(len(fed))}
        following |= {(whole[:at], whole[at]) for at in range(1, len(whole))}
    return contexts, following


def test_every_figure_is_that_of_the_dense_formula(found, dense):
    contexts, following = dense
    a, b = (torch.stack(each) for each in zip(*contexts.values(), strict=True))
    assert (found.positions, found.tokens, found.vocabulary) == (len(contexts), len(following), 768)
    kl, reverse = ((x.exp() * (x - y)).sum(-1).numpy() for x, y in ((a, b), (b, a)))
    assert found.kl.value == pytest.approx(kl.mean(), rel=1e-5)
    assert found.reverse_kl.value == pytest.approx(reverse.mean(), rel=1e-5)
    assert found.kl_percentiles["p90"] == pytest.approx(np.sort(kl)[int(np.ceil(0.9 * len(kl))) - 1], rel=1e-4)
    assert found.kl_percentiles["max"] == pytest.approx(kl.max(), rel=1e-4)
    assert found.top1.value == pytest.approx(float((a.argmax(-1) == b.argmax(-1)).double().mean()))
    logs = np.array([[float(each[token]) for each in contexts[context]] for context, token in following]).T
    delta = np.exp(logs[1]) - np.exp(logs[0])
    assert found.delta_p.value == pytest.approx(delta.mean(), abs=1e-6)
    assert found.delta_p_rms.value == pytest.approx(np.sqrt((delta**2).mean()), rel=1e-5)
    assert found.a.perplexity == pytest.approx(np.exp(-logs[0].mean()), rel=1e-5)
    assert found.b.perplexity == pytest.approx(np.exp(-logs[1].mean()), rel=1e-5)
    assert found.logprob.value == pytest.approx((logs[1] - logs[0]).mean(), abs=1e-5)


def test_pruning_diverges_and_each_document_is_a_unit(found):
    assert found.kl.documents == 6
    assert 1 < found.kl.lower < found.kl.value < found.kl.upper
    assert found.a.perplexity < found.b.perplexity
    assert {task.task for task in found.tasks} == {"nano_words", "nano_sums"}
    assert sum(task.positions for task in found.tasks) == found.positions
    assert {found.a.scoring, found.b.scoring} == {"packed"}
    assert json.loads(json.dumps(found.document()))["kl"]["value"] == found.kl.value


def test_the_other_way_round_the_divergences_change_places(found):
    turned = diverge(asking(PRUNED), asking("nano-teacher"))
    assert turned.kl.value == pytest.approx(found.reverse_kl.value)
    assert turned.delta_p.value == pytest.approx(-found.delta_p.value)
    assert turned.top1 == found.top1


def test_a_model_beside_itself_is_the_same():
    found = diverge(asking("nano-teacher"), asking("nano-teacher"))
    for mean in (found.kl, found.reverse_kl, found.delta_p, found.delta_p_rms, found.logprob):
        assert (mean.value, mean.stderr) == (0, 0)
    assert found.kl_percentiles["max"] == 0
    assert found.top1.value == 1


@pytest.mark.parametrize("block", [1, 40_000])
def test_small_blocks_and_rows_give_the_same(found, block, monkeypatch):
    monkeypatch.setattr(distributions, "BLOCK", {"cpu": block})
    small = diverge(asking("nano-teacher", token_budget=100), asking(PRUNED, token_budget=300))
    assert small.kl.value == pytest.approx(found.kl.value, rel=1e-6)
    assert small.delta_p_percentiles == pytest.approx(found.delta_p_percentiles, abs=1e-4)


def test_without_packing_the_figures_are_the_same_and_it_is_said(found):
    plain = diverge(asking("nano-teacher", eager=True), asking(PRUNED))
    assert (plain.a.scoring, plain.b.scoring) == ("plain", "packed")
    assert plain.kl.value == pytest.approx(found.kl.value, rel=1e-5)
    assert plain.positions == found.positions


def test_a_padded_head_is_cut_to_the_rows_that_both_have(copied, found):
    def pad(config):
        config["vocab_size"] = 800

    folder = copied("padded", config=pad)
    weights = load_file(folder / "model.safetensors")
    table = weights["model.embed_tokens.weight"]
    weights["model.embed_tokens.weight"] = torch.cat([table, torch.zeros(32, table.shape[1], dtype=table.dtype)])
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    padded = diverge(asking("nano-teacher"), asking(folder))
    assert padded.vocabulary == 768
    assert padded.kl.value == pytest.approx(0, abs=1e-9)
    assert any("768 and 800 rows" in note for note in padded.notes)


def test_a_vocabulary_with_other_meanings_is_refused(copied):
    def swap(tokenizer):
        vocabulary = tokenizer["model"]["vocab"]
        one, other = [token for token, number in vocabulary.items() if number in (700, 701)]
        vocabulary[one], vocabulary[other] = vocabulary[other], vocabulary[one]

    with pytest.raises(OtherTokens, match=r"other vocabularies .* the first that differs is 700"):
        diverge(asking("nano-teacher"), asking(copied(tokenizer=swap)))


def test_contexts_that_take_in_less_of_a_text_are_refused(copied):
    def shorter(config):
        config["max_position_embeddings"] = 40

    with pytest.raises(OtherTokens, match=r"contexts \(512 and 40 tokens\)"):
        diverge(asking("nano-teacher", "nano_prose"), asking(copied(config=shorter), "nano_prose"))


def test_weights_that_are_no_numbers_are_refused_with_their_place(copied):
    folder = copied()
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][3] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ScoresNotFinite, match=r"no finite divergence, first in nano_words #"):
        diverge(asking("nano-teacher", "nano_words", eager=True), asking(folder, "nano_words", eager=True))


def test_a_backend_without_distributions_is_refused_by_name(monkeypatch):
    class Scoring:
        name = "third-party"

        def close(self):
            self.closed = True

    made = Scoring()
    monkeypatch.setattr("harness.divergence.run.open_backend", lambda *args: made)
    with pytest.raises(NoDistributions, match="third-party does not tell"):
        diverge(asking("nano-teacher", "nano_words"), asking(PRUNED, "nano_words"))
    assert made.closed


def test_an_unknown_model_is_told_before_prompts_are_made(monkeypatch):
    monkeypatch.setattr("harness.divergence.run.prepare", lambda *args: pytest.fail("prompts were made"))
    with pytest.raises(UnknownModel, match="nano-breadth"):
        diverge(asking("nano-teacher"), asking("nano-breadth"))


def test_where_it_is_stands_in_steps_and_b_is_asked_what_a_is():
    class Watcher(Silent):
        def __init__(self):
            self.told = []

        def begins(self, phase, unit=""):
            self.told.append(phase)

        def advanced(self, done, of):
            self.told.append((done, of))

    watcher = Watcher()
    other = dataclasses.replace(asking(PRUNED, "nano_cloze", limit=9))
    found = diverge(asking("nano-teacher", "nano_words", limit=1), other, watcher)
    assert watcher.told[:4] == ["preparing", "loading nano-teacher", f"loading {PRUNED}", "comparing"]
    assert watcher.told[-1] == (found.positions, found.positions)
    assert [task.task for task in found.tasks] == ["nano_words"]
