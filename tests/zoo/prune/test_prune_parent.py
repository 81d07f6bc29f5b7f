"""What identifies a parent: plans and scores that were made earlier still belong to it."""

import torch
from support.tiny_checkpoints import edit_config, tiny

from zoo.prune.parent import open_parent


def test_the_digest_of_a_parent_is_the_one_that_plans_of_086f72e_name(stories):
    assert open_parent(stories).digest == "776943ddbf6c6f9c00acb99cf861104138cc16e7e7bf91158c8684a05b97a115"


def test_rope_scaling_does_not_enter_the_digest(tmp_path):
    """Plans of 086f72e did not read it, and Llama-3.1 has it."""
    folder = tiny("llama", tmp_path / "p")
    plain = open_parent(folder)
    scaled = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "original_max_position_embeddings": 64}
    edit_config(folder, rope_parameters=scaled)
    assert open_parent(folder).dims.rope != plain.dims.rope
    assert open_parent(folder).digest == plain.digest


def test_other_weights_and_another_dtype_have_another_digest(tiny_parent, tmp_path):
    others = tiny("llama", tmp_path / "seed", seed=1), tiny("llama", tmp_path / "dtype", torch.bfloat16)
    assert len({open_parent(folder).digest for folder in (tiny_parent("llama"), *others)}) == 3
