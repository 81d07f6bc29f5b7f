"""The published edges, cut for real at a fraction of their widths."""

import pytest
import torch
from support.tiny_checkpoints import load, tiny

from zoo.arch.parameters import count_parameters
from zoo.prune.parent import open_parent
from zoo.prune.recipes import EDGES, recipe
from zoo.prune.scores import random_scores
from zoo.prune.selection import plan_from_ranking
from zoo.prune.target import Target, child_shape
from zoo.prune.write.writer import write_child
from zoo.registry.loader import load_registry

FAMILY = {"relu2": "nemotron", "swiglu": "llama"}


@pytest.mark.parametrize("child", EDGES)
def test_every_published_edge_at_a_64th_of_its_widths_loads_and_has_the_registrys_count(child, tmp_path):
    edge, models = recipe(child), load_registry().models
    parent, wanted = (
        dims.model_copy(
            update={
                "hidden_size": dims.hidden_size
                // 32,  # at a 64th transformers refuses the Llama: 48 is no multiple of 32
                "ffn_hidden_size": dims.ffn_hidden_size // 64,
                "vocab_size": dims.vocab_size // 64,
                "head_dim": 4,
            }
        )
        for dims in (models[edge.parent].architecture, models[child].architecture)
    )
    family = "mistral" if "mistral" in child else FAMILY[parent.activation]
    changes = {} if family != "llama" else {"attention_bias": False, "mlp_bias": False}
    folder = tiny(
        family, tmp_path / "parent", torch.bfloat16, shard="1MB", vocab_size=parent.vocab_size,
        hidden_size=parent.hidden_size, intermediate_size=parent.ffn_hidden_size, num_hidden_layers=parent.num_layers,
        num_attention_heads=parent.num_attention_heads, num_key_value_heads=parent.num_kv_heads, head_dim=4, **changes,
    )  # fmt: skip
    opened = open_parent(folder)
    target = edge.target if edge.target.drop else Target(
        hidden=wanted.hidden_size, ffn=wanted.ffn_hidden_size, heads=wanted.num_attention_heads
    )  # fmt: skip
    shape = child_shape(opened.dims, target)
    plan = plan_from_ranking(opened.identity, shape, random_scores(opened.dims, 0).ranking(shape))
    write_child(plan, opened, tmp_path / "child", shard_bytes=400_000)
    assert load(tmp_path / "child").num_parameters() == count_parameters(wanted).total == plan.parameters
