"""A pruned child computes what its parent computes with the removed units silenced."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from support.tiny_checkpoints import FAMILIES, TERMS, TOKENS, load, tiny
from support.tolerances import assert_fp32

from zoo.prune.parent import open_parent
from zoo.prune.plan import UnitSelection
from zoo.prune.selection import Ranking, plan_from_ranking
from zoo.prune.target import Target, child_shape
from zoo.prune.write.folder import expected_count
from zoo.prune.write.writer import write_child


def random_ranking(dims, seed=0) -> Ranking:
    rng = np.random.default_rng(seed)
    return Ranking(
        UnitSelection(method=f"random, seed {seed}"),
        heads=rng.random((dims.num_layers, dims.num_attention_heads)),
        ffn=rng.random((dims.num_layers, dims.ffn_hidden_size)),
        hidden=rng.random(dims.hidden_size),
        layers=rng.random(dims.num_layers),
    )


def prune(folder, out, target, seed=0, **options):
    parent = open_parent(folder)
    shape = child_shape(parent.dims, target)
    plan = plan_from_ranking(parent.identity, shape, random_ranking(parent.dims, seed), **options)
    write_child(plan, parent, out)
    return plan


def logits(model):
    with torch.no_grad():
        return model(TOKENS, use_cache=False).logits


@pytest.mark.parametrize("family", FAMILIES)
def test_child_without_neurons_equals_parent_with_them_silenced(family, tiny_parent, tmp_path):
    plan = prune(tiny_parent(family), tmp_path / "c", Target(ffn=(40, 40, 40, 40)))
    parent, child = load(tiny_parent(family)), load(tmp_path / "c")
    for kept, layer in zip(plan.layers, parent.model.layers, strict=True):
        gone = [i for i in range(56) if i not in kept.ffn]
        layer.mlp.down_proj.weight.data[:, gone] = 0
    assert_fp32(logits(child), logits(parent), TERMS)


@pytest.mark.parametrize("family", FAMILIES)
def test_child_without_heads_equals_parent_with_them_silenced(family, tiny_parent, tmp_path):
    plan = prune(tiny_parent(family), tmp_path / "c", Target(heads=4))
    parent, child = load(tiny_parent(family)), load(tmp_path / "c")
    for kept, layer in zip(plan.layers, parent.model.layers, strict=True):
        for head in set(range(6)) - set(kept.heads):
            layer.self_attn.o_proj.weight.data[:, head * 12 : head * 12 + 12] = 0
    assert_fp32(logits(child), logits(parent), TERMS)


@pytest.mark.parametrize("family", FAMILIES)
def test_child_without_hidden_channels_equals_parent_with_them_silenced_and_left_out_of_norm_statistics(
    family, tiny_parent, tmp_path
):
    plan = prune(tiny_parent(family), tmp_path / "c", Target(hidden=30))
    parent, child = load(tiny_parent(family)), load(tmp_path / "c")
    keep = torch.tensor(plan.hidden)
    mask = torch.zeros(48)
    mask[keep] = 1
    silence_hidden(parent, keep, mask, nemotron=family == "nemotron")
    assert_fp32(logits(child), logits(parent), TERMS)


def silence_hidden(model, keep, mask, nemotron):
    """Zero the removed channels after the embedding, every norm and every residual write; norms see the kept ones."""

    def norm_over_kept(module, args, _out):
        x = args[0][..., keep].float()
        if nemotron:
            y = F.layer_norm(x, (len(keep),), module.weight[keep] + 1, module.bias[keep], module.eps)
        else:
            y = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + module.variance_epsilon) * module.weight[keep]
        full = torch.zeros_like(args[0])
        full[..., keep] = y
        return full

    model.model.embed_tokens.register_forward_hook(lambda _m, _a, out: out * mask)
    for layer in model.model.layers:
        layer.self_attn.o_proj.register_forward_hook(lambda _m, _a, out: out * mask)
        layer.mlp.down_proj.register_forward_hook(lambda _m, _a, out: out * mask)
        layer.input_layernorm.register_forward_hook(norm_over_kept)
        layer.post_attention_layernorm.register_forward_hook(norm_over_kept)
    model.model.norm.register_forward_hook(norm_over_kept)


@pytest.mark.parametrize("family", FAMILIES)
def test_child_without_layers_equals_parent_that_skips_them(family, tiny_parent, tmp_path):
    prune(tiny_parent(family), tmp_path / "c", Target(drop=(1, 2)))
    parent, child = load(tiny_parent(family)), load(tmp_path / "c")
    parent.model.layers = torch.nn.ModuleList([parent.model.layers[0], parent.model.layers[3]])
    parent.config.num_hidden_layers = 2
    assert_fp32(logits(child), logits(parent), TERMS)


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"qwen3"}))
def test_head_residual_changes_the_query_rows_of_its_own_group_alone(family, tiny_parent, tmp_path):
    plan = prune(tiny_parent(family), tmp_path / "c", Target(heads=4), head_residual=True)
    parent, child = load(tiny_parent(family)), load(tmp_path / "c")
    for at, kept in enumerate(plan.layers):
        whole = parent.model.layers[at].self_attn.q_proj.weight.view(6, 12, 48)
        cut = child.model.layers[at].self_attn.q_proj.weight.view(4, 12, 48)
        partner = dict(kept.merged)
        assert len(partner) == 2  # one a group: 3 heads to 2
        for place, head in enumerate(kept.heads):
            expected = whole[head]
            if head in partner:
                assert partner[head] // 3 == head // 3
                expected = 2 * whole[head] - whole[partner[head]]
            assert_fp32(cut[place], expected, terms=2)
        assert torch.equal(
            parent.model.layers[at].self_attn.k_proj.weight, child.model.layers[at].self_attn.k_proj.weight
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_sliced_bits_are_the_parents_own_in_every_dtype(dtype, tmp_path):
    from safetensors.torch import load_file

    plan = prune(tiny("llama", tmp_path / "p", dtype), tmp_path / "c", Target(hidden=36, ffn=48, heads=4))
    whole, cut = load_file(tmp_path / "p" / "model.safetensors"), load_file(tmp_path / "c" / "model.safetensors")
    name = "model.layers.2.mlp.down_proj.weight"
    expected = whole[name][list(plan.hidden)][:, list(plan.layers[2].ffn)]
    assert cut[name].dtype == dtype
    assert torch.equal(cut[name], expected)


def test_all_axes_at_once_from_many_shards_load_with_from_pretrained(tmp_path):
    folder = tiny("nemotron", tmp_path / "p", torch.bfloat16, shard="20KB")
    assert len(list(folder.glob("*.safetensors"))) > 3
    plan = prune(folder, tmp_path / "c", Target(hidden=36, ffn=48, heads=4, layers=3))
    child = load(tmp_path / "c")
    assert sum(p.numel() for p in child.parameters()) == plan.parameters
    assert child.config.head_dim == 12
    assert torch.isfinite(logits(child)).all()


def test_projection_biases_are_counted(tiny_parent, tmp_path):
    plan = prune(tiny_parent("llama"), tmp_path / "c", Target(hidden=36, ffn=40, heads=4))
    counted = expected_count(plan, open_parent(tiny_parent("llama")))
    assert counted == load(tmp_path / "c").num_parameters() == plan.parameters
