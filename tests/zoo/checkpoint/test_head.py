"""Whether the head is tied: config.json against what is stored, in eval, prune, `pruned`, counts and random weights."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.tiny_checkpoints import edit_config, load, same_weights, tiny

from backends.hf.loading import load_pretrained
from backends.pruned.backend import load_pruned
from backends.random.config import random_checkpoint
from backends.random.draw import empty_model
from zoo.arch.parameters import count_parameters
from zoo.checkpoint.folder_check import check_folder
from zoo.checkpoint.locate import locate, open_folder
from zoo.checkpoint.model_ref import resolve
from zoo.errors import InvalidConfig, WeightsMissing
from zoo.prune.importance.streamed import StreamedModel
from zoo.prune.parent import open_parent
from zoo.prune.scores import random_scores
from zoo.prune.selection import keep_layers, plan_from_ranking
from zoo.prune.target import Target, child_shape
from zoo.prune.write.writer import write_child, write_virtual
from zoo.registry.loader import load_registry

EMBEDDING, HEAD = "model.embed_tokens.weight", "lm_head.weight"
FAMILIES = ("llama-tied", "mistral", "nemotron")


def edit_weights(folder, change):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, {"format": "pt"})


def differing_head(tensors):
    tensors[HEAD] = tensors[EMBEDDING].flip(0) * 0.5


def equal_head(tensors):
    tensors[HEAD] = tensors[EMBEDDING].clone()


def wider_equal_head(tensors):
    """The table in bf16, the head with the same numbers in fp32."""
    tensors[EMBEDDING] = tensors[EMBEDDING].to(torch.bfloat16)
    tensors[HEAD] = tensors[EMBEDDING].float()


def head_alone(tensors):
    tensors[HEAD] = tensors.pop(EMBEDDING)


STORED = {  # what is stored beside a config that ties → whether the head is the table
    "no head": (lambda tensors: tensors.pop(HEAD, None), True),
    "an equal head": (equal_head, True),
    "an equal head, wider": (wider_equal_head, True),
    "a head alone": (head_alone, True),
    "another head": (differing_head, False),
}


@pytest.fixture(params=[(family, stored) for family in FAMILIES for stored in STORED], ids=" with ".join)
def tied_by_config(request, tmp_path):
    """A folder whose config.json ties the head, and whether it is tied."""
    family, stored = request.param
    change, tied = STORED[stored]
    folder = tiny(family, tmp_path / "parent", tie_word_embeddings=True)
    edit_weights(folder, change)
    return folder, tied


def test_every_reader_has_the_head_that_transformers_has(tied_by_config, tmp_path):
    folder, tied = tied_by_config
    expected = load_pretrained(open_folder(folder), "cpu", "auto")
    assert torch.equal(expected.lm_head.weight, expected.get_input_embeddings().weight) == tied
    parent = open_parent(folder)
    assert parent.dims.tied_embeddings == resolve(str(folder)).dense_dims.tied_embeddings == tied
    stored = sum(parameter.numel() for parameter in expected.parameters())
    assert count_parameters(parent.dims).total + extra_biases(parent) == stored
    assert torch.equal(StreamedModel(parent).head()[0][1], expected.lm_head.weight)
    assert same_weights(load_pruned(open_folder(folder), "cpu", "auto"), expected)
    whole = keep_layers(parent.identity, range(4))
    write_child(whole, parent, tmp_path / "child")
    write_virtual(whole, parent, tmp_path / "plan")
    assert same_weights(load(tmp_path / "child"), expected)
    assert same_weights(load_pruned(open_folder(tmp_path / "plan"), "cpu", "auto"), expected)
    assert json.loads((tmp_path / "child" / "config.json").read_text())["tie_word_embeddings"] == tied


def extra_biases(parent):
    """What the closed form leaves out: biases of projections."""
    names = [name for name in parent.tensors if name.endswith("_proj.bias")]
    return sum(parent.tensors[name].shape[0] for name in names)


def test_a_child_of_unlike_layers_keeps_a_head_that_is_stored_apart(tmp_path):
    folder = tiny("llama-tied", tmp_path / "parent")
    edit_weights(folder, differing_head)
    parent = open_parent(folder)
    shape = child_shape(parent.dims, Target(hidden=42, ffn=(56, 40, 24, 56)))
    plan = plan_from_ranking(parent.identity, shape, random_scores(parent.dims, 0).ranking(shape))
    write_child(plan, parent, tmp_path / "child")
    model = load_pruned(open_folder(tmp_path / "child"), "cpu", "auto")
    kept = list(plan.hidden)
    assert torch.equal(model.lm_head.weight, load(folder).lm_head.weight[:, kept])


def test_a_head_that_config_json_does_not_know_of_is_told(tmp_path, caplog, minizoo):
    folder = tiny("llama-tied", tmp_path / "parent")
    edit_weights(folder, differing_head)
    assert locate(str(folder)).config["tie_word_embeddings"] is False
    assert "the stored head is used" in caplog.text
    assert "the stored head is used" in minizoo("show", "nano-teacher", "--check", folder).out


@pytest.mark.parametrize("family", ["llama", "mistral", "nemotron"])
@pytest.mark.parametrize("stated", [{"tie_word_embeddings": False}, {}])
def test_a_config_that_does_not_tie_and_weights_without_a_head_are_refused(family, stated, tmp_path):
    folder = tiny(family, tmp_path / "parent")
    config = json.loads((folder / "config.json").read_text())
    config.pop("tie_word_embeddings")
    (folder / "config.json").write_text(json.dumps({**config, **stated}))
    edit_weights(folder, lambda tensors: tensors.pop(HEAD))
    checkpoint = open_folder(folder)
    for read in (load_pretrained, load_pruned):
        with pytest.raises(WeightsMissing, match=HEAD):
            read(checkpoint, "cpu", "auto")
    with pytest.raises(WeightsMissing, match="tie_word_embeddings: true"):
        open_parent(folder)


@pytest.mark.parametrize("stated", [None, "false", 0])
def test_a_word_for_tied_that_is_no_truth_value_is_refused_as_transformers_refuses_it(stated, tmp_path):
    folder = tiny("llama", tmp_path / "parent")
    edit_config(folder, tie_word_embeddings=stated)
    for read in (open_parent, lambda folder: load_pretrained(open_folder(folder), "cpu", "auto")):
        with pytest.raises(InvalidConfig, match=r"tie_word_embeddings|tied_embeddings"):
            read(folder)


def test_an_untied_head_of_the_same_values_stays_a_tensor_of_its_own(tmp_path):
    folder = tiny("mistral", tmp_path / "parent")
    edit_weights(folder, equal_head)
    parent = open_parent(folder)
    assert (parent.dims.tied_embeddings, HEAD in parent.tensors) == (False, True)
    write_child(keep_layers(parent.identity, [0, 1]), parent, tmp_path / "child")
    assert HEAD in load_file(tmp_path / "child" / "model.safetensors")


def test_a_check_counts_the_parameters_that_are_stored(stories, tmp_path):
    """nano-teacher is tied: an equal second copy of its table counts once, another one is 49,152 parameters more."""
    entry = load_registry().resolve("nano-teacher")
    for change, differing in ((equal_head, set()), (differing_head, {"tied_embeddings", "parameters"})):
        folder = tmp_path / change.__name__
        folder.mkdir()
        for name in ("config.json", "model.safetensors"):
            (folder / name).write_bytes((entry.weights_folder / name).read_bytes())
        edit_weights(folder, change)
        found = check_folder(entry, folder)
        assert {d.dimension for d in found.differences if d.contradicts} == differing
        table = entry.architecture.vocab_size * entry.architecture.hidden_size
        assert found.parameters == entry.parameters + (table if differing else 0)


def test_weights_that_cannot_be_read_are_told_and_the_config_is_compared(tmp_path):
    entry = load_registry().resolve("nano-teacher")
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((entry.weights_folder / name).read_bytes()[:5000])
    found = check_folder(entry, tmp_path)
    assert (found.differences, found.weights) == ([], None)
    assert "weights were not compared" in found.told[0]


@pytest.mark.parametrize(("change", "tied"), [(equal_head, True), (differing_head, False)])
def test_random_weights_have_the_head_of_the_folder(change, tied, tmp_path):
    folder = tiny("llama-tied", tmp_path / "parent")
    edit_weights(folder, change)
    model = empty_model(random_checkpoint(resolve(str(folder))), "meta", torch.float32)
    assert (model.lm_head.weight is model.model.embed_tokens.weight) == tied


def test_a_plan_from_dimensions_alone_fits_the_weights_it_is_later_used_with(tmp_path, minizoo):
    folder = tiny("llama-tied", tmp_path / "parent")
    edit_weights(folder, differing_head)
    words = ["prune", "--parent", folder, "--target", "drop=3"]
    assert minizoo(*words, "--plan-only", "--out", tmp_path / "plan").code == 0
    again = minizoo("prune", "--parent", folder, "--plan", tmp_path / "plan" / "plan.json", "--out", tmp_path / "child")
    assert again.code == 0


def test_the_digest_of_a_tied_parent_is_the_same_with_and_without_an_equal_head(tmp_path):
    folder = tiny("llama-tied", tmp_path / "parent")
    digest = open_parent(folder).digest
    edit_weights(folder, equal_head)
    assert open_parent(folder).digest == digest
    edit_config(folder, tie_word_embeddings=False)
    assert open_parent(folder).digest != digest
