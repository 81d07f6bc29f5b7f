"""Precision by tensor: a parent of several dtypes is cut as it stands, a quantised one is refused as such."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from support.tiny_checkpoints import TOKENS, edit_config, load, same_weights, tiny

from backends.pruned.backend import load_pruned
from backends.random.config import random_checkpoint
from zoo.checkpoint.locate import open_folder
from zoo.checkpoint.model_ref import resolve
from zoo.checkpoint.safetensors import BYTES, header_bytes, read_header
from zoo.errors import UnsupportedDtype
from zoo.prune.calibration import Calibration
from zoo.prune.importance.measure import measure
from zoo.prune.importance.settings import ImportanceSettings
from zoo.prune.parent import open_parent
from zoo.prune.scores import random_scores, save_scores
from zoo.prune.selection import plan_from_ranking
from zoo.prune.target import Target, child_shape
from zoo.prune.write.writer import shards_of, write_child, write_virtual

WEIGHTS = "model.safetensors"
BF16, F16, F32 = torch.bfloat16, torch.float16, torch.float32
MIXTURES = {
    "norms in fp32": lambda name: F32 if "norm" in name else BF16,
    "matrices in fp32": lambda name: BF16 if "norm" in name else F32,
    "one layer in fp32": lambda name: F32 if ".layers.2." in name else BF16,
    "fp16 beside bf16": lambda name: F16 if "mlp" in name else BF16,
    "three of them": lambda name: F32 if "norm" in name else F16 if "self_attn" in name else BF16,
    "embeddings in fp32": lambda name: F32 if "embed" in name or "lm_head" in name else BF16,
}


def cast(folder, dtype_of):
    tensors = {name: tensor.to(dtype_of(name)).contiguous() for name, tensor in load_file(folder / WEIGHTS).items()}
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    return folder


@pytest.fixture(params=MIXTURES)
def mixed(request, tmp_path):
    """A parent of odd widths, and its dtypes by name."""
    folder = tiny("llama", tmp_path / "parent", intermediate_size=57)
    return cast(folder, MIXTURES[request.param]), MIXTURES[request.param]


def plan_of(parent, head_residual=False, **axes):
    shape = child_shape(parent.dims, Target(**axes))
    return plan_from_ranking(parent.identity, shape, random_scores(parent.dims, 0).ranking(shape), head_residual)


@pytest.mark.parametrize("shard_bytes", [5_000_000_000, 20_000])
def test_each_tensor_of_a_child_has_its_parents_dtype_and_values(mixed, shard_bytes, tmp_path):
    folder, dtype_of = mixed
    parent = open_parent(folder)
    plan = plan_of(parent, hidden=42, ffn=41, drop=(1,))
    write_child(plan, parent, tmp_path / "child", shard_bytes)
    tensors = {k: v for path in (tmp_path / "child").glob("*.safetensors") for k, v in load_file(path).items()}
    names = {f"model.layers.{at}.": f"model.layers.{kept.parent}." for at, kept in enumerate(plan.layers)}
    for name, tensor in tensors.items():
        own = next((name.replace(new, old) for new, old in names.items() if new in name), name)
        assert tensor.dtype == dtype_of(own)
    layer = plan.layers[1]
    rows = load_file(folder / WEIGHTS)[f"model.layers.{layer.parent}.mlp.up_proj.weight"]
    assert torch.equal(tensors["model.layers.1.mlp.up_proj.weight"], rows[list(layer.ffn)][:, list(plan.hidden)])


def test_a_parent_whose_tensors_lie_anywhere_has_a_child_whose_tensors_begin_at_multiples_of_their_width(tmp_path):
    folder = cast(
        tiny("llama", tmp_path / "parent", intermediate_size=57), lambda name: BF16 if "bias" in name else F32
    )
    tensors = {name: tensor.clone() for name, tensor in load_file(folder / WEIGHTS).items()}
    names = sorted(tensors)  # a bias of 57 numbers in bf16 comes before a matrix in fp32
    header = header_bytes({n: ("F32" if tensors[n].dtype == F32 else "BF16", tuple(tensors[n].shape)) for n in names})
    parts = [tensors[name].contiguous().flatten().view(torch.uint8).numpy().tobytes() for name in names]
    (folder / WEIGHTS).write_bytes(header + b"".join(parts))
    parent = open_parent(folder)
    assert any(tensor.start % BYTES[tensor.dtype] for tensor in parent.tensors.values())
    write_child(plan_of(parent, ffn=41), parent, tmp_path / "child")
    stored = read_header(tmp_path / "child" / WEIGHTS).values()
    assert [tensor.name for tensor in stored if tensor.start % BYTES[tensor.dtype]] == []
    child = load_file(tmp_path / "child" / WEIGHTS)
    for name in ("model.norm.weight", "model.layers.3.self_attn.q_proj.weight"):
        assert torch.equal(child[name], tensors[name])


def test_the_order_in_files_of_one_dtype_is_that_of_the_parent(tiny_parent):
    parent = open_parent(tiny_parent("llama"))
    (shard,) = shards_of(plan_of(parent, ffn=41), parent)
    starts = [cut.source.start for cut in shard.cuts]
    assert starts == sorted(starts)


def test_written_and_virtual_children_are_the_same_model(mixed, tmp_path):
    parent = open_parent(mixed[0])
    plan = plan_of(parent, ffn=41, heads=4, drop=(2,))
    write_child(plan, parent, tmp_path / "child")
    write_virtual(plan, parent, tmp_path / "plan")
    for name in ("child", "plan"):
        assert same_weights(load_pruned(open_folder(tmp_path / name), "cpu", "auto"), load(tmp_path / "child"))


def test_importance_is_that_of_the_same_values_in_fp32(mixed, tmp_path):
    folder, _ = mixed
    rows = Calibration("rows", np.asarray(TOKENS))
    settings = ImportanceSettings(perplexity=True)
    found = measure(open_parent(folder), rows, settings, tmp_path / "one")
    whole = measure(open_parent(cast(folder, lambda _: F32)), rows, settings, tmp_path / "two")
    assert found.arrays.keys() == whole.arrays.keys()
    for name, values in found.arrays.items():
        np.testing.assert_array_equal(values, whole.arrays[name])


def test_a_head_residual_is_rounded_to_the_dtype_of_its_own_tensor(tmp_path):
    folder = cast(tiny("llama", tmp_path / "parent"), lambda name: F32 if "q_proj" in name else BF16)
    parent = open_parent(folder)
    plan = plan_of(parent, head_residual=True, heads=4)
    write_child(plan, parent, tmp_path / "child")
    kept = plan.layers[0]
    q = load_file(folder / WEIGHTS)["model.layers.0.self_attn.q_proj.weight"].view(6, 12, 48)
    expected = q.clone()
    for head, pruned in kept.merged:
        expected[head] = 2 * q[head] - q[pruned]
    child = load_file(tmp_path / "child" / WEIGHTS)["model.layers.0.self_attn.q_proj.weight"].view(4, 12, 48)
    assert torch.equal(child, expected[list(kept.heads)])


def test_norms_in_fp32_beside_bf16_matrices_are_pruned_on_the_command_line(tmp_path, minizoo):
    folder = cast(tiny("llama", tmp_path / "parent"), MIXTURES["norms in fp32"])
    assert minizoo("prune", "--parent", folder, "--target", "drop=3", "--out", tmp_path / "child").code == 0
    assert load(tmp_path / "child").config.num_hidden_layers == 3


def to_int8(folder):
    cast(folder, lambda name: torch.int8 if "q_proj.weight" in name else BF16)


def to_fp8(folder):
    cast(folder, lambda name: torch.float8_e4m3fn if "proj.weight" in name else BF16)


def to_packed(folder):
    """Four bits in int32 under another name, as GPTQ and AWQ have it."""
    tensors = {}
    for name, tensor in load_file(folder / WEIGHTS).items():
        packed = "proj.weight" in name
        tensors[name.replace(".weight", ".qweight") if packed else name] = (
            tensor.int()[:8].contiguous() if packed else tensor
        )
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})


def to_packed_in_place(folder):
    """Two values of four bits a byte under the weight's own name, as bitsandbytes has it."""
    tensors = load_file(folder / WEIGHTS)
    packed = {
        n: torch.zeros(t.numel() // 2, 1, dtype=torch.uint8) if "proj.weight" in n else t for n, t in tensors.items()
    }
    save_file(packed, folder / WEIGHTS, {"format": "pt"})


def declared(folder):
    edit_config(folder, quantization_config={"quant_method": "bitsandbytes", "load_in_4bit": True})


QUANTISED = {
    "int8": to_int8,
    "fp8": to_fp8,
    "packed": to_packed,
    "packed in place": to_packed_in_place,
    "declared": declared,
}


@pytest.mark.parametrize("kind", QUANTISED)
def test_a_quantised_parent_is_refused_as_such(kind, tmp_path, minizoo):
    folder = tiny("llama", tmp_path / "parent")
    plan = open_parent(folder)
    save_scores(tmp_path / "scores", random_scores(plan.dims, 0))
    QUANTISED[kind](folder)
    for how in (["--out", tmp_path / "child"], ["--virtual", "--out", tmp_path / "plan"]):
        ran = minizoo(
            "prune", "--parent", folder, "--target", "ffn=40", "--scores", tmp_path / "scores", *how, "--json"
        )
        assert (ran.code, ran.json()["code"]) == (2, "unsupported-dtype")
        assert "quantised" in ran.json()["what"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parent", "scores"]
    with pytest.raises(UnsupportedDtype, match="quantised"):
        load_pruned(open_folder(folder), "cpu", "auto")


def test_a_declared_quantisation_is_refused_for_plans_and_random_weights(tmp_path, minizoo):
    folder = tiny("llama", tmp_path / "parent")
    declared(folder)
    ran = minizoo("prune", "--parent", folder, "--target", "drop=3", "--plan-only", "--json")
    assert (ran.code, ran.json()["code"]) == (2, "unsupported-dtype")
    assert "bitsandbytes" in ran.json()["what"]
    with pytest.raises(UnsupportedDtype, match="bitsandbytes"):
        random_checkpoint(resolve(str(folder)))


def test_fp64_is_no_quantisation_and_says_what_to_do(tmp_path):
    folder = cast(tiny("llama", tmp_path / "parent"), lambda name: torch.float64 if "norm" in name else F32)
    for read in (open_parent, lambda folder: load_pruned(open_folder(folder), "cpu", "auto")):
        with pytest.raises(UnsupportedDtype, match="F64") as refusal:
            read(folder)
        assert "quantised" not in str(refusal.value)
        assert "save_pretrained" in refusal.value.hint
