"""The `pruned` backend: layers of unlike widths, and plans without weights of their own."""

import pytest
import torch
from support.tiny_checkpoints import load, tiny
from support.tolerances import assert_logprobs

from backends.contract import GenerateRequest, Options, ScoreRequest
from backends.hf.backend import open_hf
from backends.pruned.backend import load_pruned, open_pruned
from zoo.checkpoint.locate import locate, open_folder
from zoo.errors import OtherParent, WrongBackend
from zoo.prune.parent import open_parent
from zoo.prune.scores import random_scores
from zoo.prune.selection import plan_from_ranking
from zoo.prune.target import Target, child_shape
from zoo.prune.write.writer import write_child, write_virtual


def requests():
    return [
        ScoreRequest((1, 5, 9), (30, 77, 12), per_token=True),
        ScoreRequest((1,), (40,)),
        ScoreRequest(tuple(range(1, 40)), (3,)),
    ]


def logprobs(backend):
    return [score.logprob for score in sorted(backend.score(requests()), key=lambda score: score.index)]


def random_plan(parent, target):
    shape = child_shape(parent.dims, target)
    return plan_from_ranking(parent.identity, shape, random_scores(parent.dims, 0).ranking(shape))


@pytest.fixture(scope="module")
def unlike(stories, tmp_path_factory):
    """stories260k with layers of unlike widths, as `child` and as `plan` alone."""
    folder, parent = tmp_path_factory.mktemp("unlike"), open_parent(stories)
    plan = random_plan(parent, Target(hidden=56, ffn=(172, 128, 100, 128, 8), heads=(8, 4, 8, 8, 4)))
    write_child(plan, parent, folder / "child")
    write_virtual(plan, parent, folder / "plan")
    return folder


@pytest.mark.parametrize("kind", ["child", "plan"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_unlike_layers_decode_by_the_compiled_step_as_they_do_plainly(unlike, kind, dtype):
    """In bf16 its plain form rounds every activation, so it is held to the plain form in fp32 of the same weights."""
    folder = open_folder(unlike / kind)
    asked = [GenerateRequest(tuple(range(1, 4 * n)), 24) for n in range(1, 8)]

    def tokens(options, wide=False):
        backend = open_pruned(folder, options)
        if wide:
            backend._model.float()
        found = sorted(backend.generate(asked), key=lambda done: done.index)
        return [done.tokens for done in found], backend

    fast, backend = tokens(Options(device="cpu", dtype=dtype, engine={"decode": "compiled"}))
    assert backend.versions["decode"].startswith("compiled")
    assert fast == tokens(Options(device="cpu", dtype=dtype, eager=True), wide=True)[0]


def test_unlike_layers_score_as_the_parent_with_the_removed_units_silenced(stories, tmp_path):
    """Hidden stays whole here, so silencing heads and neurons is exact."""
    opened = open_parent(stories)
    plan = random_plan(opened, Target(ffn=(172, 128, 100, 128, 8), heads=(8, 4, 8, 8, 4)))
    write_child(plan, opened, tmp_path / "unlike")
    model = load(stories)
    for kept, layer in zip(plan.layers, model.model.layers, strict=True):
        neurons = set(range(172)) - set(kept.ffn or range(172))
        layer.mlp.down_proj.weight.data[:, sorted(neurons)] = 0
        for head in set(range(8)) - set(kept.heads or range(8)):
            layer.self_attn.o_proj.weight.data[:, head * 8 : head * 8 + 8] = 0
    found = logprobs(open_pruned(open_folder(tmp_path / "unlike"), Options(device="cpu")))
    for request, value in zip(requests(), found, strict=True):
        whole = torch.tensor([[*request.context, *request.continuation]])
        with torch.no_grad():
            logp = torch.log_softmax(model(whole).logits[0].double(), -1)[len(request.context) - 1 : -1]
        expected = float(logp.gather(1, torch.tensor(request.continuation)[:, None]).sum())
        assert_logprobs(value, expected, len(request.continuation))


def test_a_plan_without_weights_scores_as_its_written_child(unlike):
    written = logprobs(open_pruned(open_folder(unlike / "child"), Options(device="cpu")))
    virtual = logprobs(open_pruned(open_folder(unlike / "plan"), Options(device="cpu")))
    assert written == virtual
    assert not list((unlike / "plan").glob("*.safetensors"))


def test_a_like_layered_child_scores_the_same_in_hf_and_pruned(stories):
    checkpoint = locate(str(stories))
    hf, pruned = (logprobs(opened(checkpoint, Options(device="cpu"))) for opened in (open_hf, open_pruned))
    assert_logprobs(hf, pruned, [len(request.continuation) for request in requests()])


@pytest.mark.parametrize("which", ["child", "plan"])
def test_hf_refuses_what_only_pruned_runs(which, unlike):
    with pytest.raises(WrongBackend):
        open_hf(open_folder(unlike / which), Options(device="cpu"))


def test_a_plan_whose_parent_changed_is_refused(tmp_path):
    parent = open_parent(tiny("llama", tmp_path / "parent"))
    write_virtual(random_plan(parent, Target(ffn=40)), parent, tmp_path / "plan")
    before = open_folder(tmp_path / "plan").weights_digest()
    tiny("llama", tmp_path / "parent", seed=8)
    assert open_folder(tmp_path / "plan").weights_digest() != before
    with pytest.raises(OtherParent):
        load_pruned(open_folder(tmp_path / "plan"), "cpu", "auto")
