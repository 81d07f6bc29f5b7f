"""What transformers here runs, by config.json alone; and that the reason for refusing AutoFP8 still stands."""

import pytest
import torch
from support.quantised import AUTO_FP8, auto_fp8

from zoo.arch.runnable import (
    class_obstacle,
    held_in_dtype,
    named_class_obstacle,
    quantisation_obstacle,
    stated_quantisation,
)
from zoo.checkpoint.precision import check_runnable
from zoo.errors import UnsupportedArchitecture, UnsupportedDtype

CLASSES = {
    "known": ({"model_type": "nemotron"}, None),
    "hybrid that comes with code too": ({"model_type": "nemotron_h", "auto_map": {"AutoModel": "x.Y"}}, None),
    "multimodal": ({"model_type": "mistral3"}, "no language model"),
    "encoder and decoder": ({"model_type": "t5"}, "no language model"),
    "own code": ({"model_type": "nobody_knows", "auto_map": {"AutoModel": "x.Y"}}, "remote code"),
    "unknown": ({"model_type": "nobody_knows"}, "no class"),
}


@pytest.mark.parametrize("name", CLASSES)
def test_a_class_is_found_or_refused_by_its_word(name):
    config, topic = CLASSES[name]
    found = class_obstacle(config)
    assert (found.topic if found else None) == topic


def test_classes_are_known_by_name():
    assert named_class_obstacle("NemotronHForCausalLM") is None
    assert named_class_obstacle("Gemma3ForConditionalGeneration") is None
    assert named_class_obstacle("Mistral3ForConditionalGeneration").topic == "no language model"
    assert named_class_obstacle("NobodyForCausalLM").topic == "no class"
    assert named_class_obstacle("NobodyForCausalLM", remote_code=True).topic == "remote code"


QUANTISED = {
    "AutoFP8": (AUTO_FP8, "AutoFP8"),
    "modelopt": ({"quant_method": "modelopt", "quant_algo": "FP8"}, "does not read"),
    "no method": ({"bits": 4}, "method unnamed"),
    "no mapping": ("fp8", "method unnamed"),
    "unknown method": ({"quant_method": "zip" * 99}, "does not read"),
    "no package": ({"quant_method": "gptq", "bits": 4, "group_size": 128}, "cannot run that here"),
    "bitsandbytes": ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "cannot run that here"),
    "senseless": ({"quant_method": "fp8", "weight_block_size": [0, 0]}, "cannot run that here"),
}


@pytest.mark.parametrize("name", QUANTISED)
def test_a_quantisation_that_transformers_cannot_run_is_refused_with_its_method(name):
    stated, words = QUANTISED[name]
    config = {"model_type": "nemotron", "quantization_config": stated}
    with pytest.raises(UnsupportedDtype, match=words) as refused:
        check_runnable(config, "my-model")
    assert len(str(refused.value)) < 500


def test_a_quantisation_under_the_older_key_or_nested_is_seen():
    assert (
        stated_quantisation({"compression_config": {"quant_method": "compressed-tensors"}}).key == "compression_config"
    )
    assert stated_quantisation({"text_config": {"quantization_config": AUTO_FP8}}).method == "fp8"
    assert stated_quantisation({"quantization_config": None}) is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU may multiply fp8")
def test_fp8_of_transformers_own_form_runs_widened_to_bfloat16_and_says_so():
    config = {"quantization_config": {"quant_method": "fp8", "weight_block_size": None}}
    stated = stated_quantisation(config)
    assert quantisation_obstacle(stated, "bfloat16") is None
    assert "--dtype bfloat16" in quantisation_obstacle(stated, "auto").hint
    assert held_in_dtype(config)
    assert held_in_dtype({})
    assert not held_in_dtype({"quantization_config": {"quant_method": "gptq"}})


def test_a_model_without_a_class_is_refused_by_its_own_cause():
    with pytest.raises(UnsupportedArchitecture, match="my-model is a 'nobody_knows'"):
        check_runnable({"model_type": "nobody_knows"}, "my-model")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU may multiply fp8")
def test_transformers_still_leaves_the_scales_of_autofp8_out(tmp_path):
    """The day this fails, AutoFP8 can be run, and its refusal taken out of zoo/arch/runnable.py."""
    from transformers import AutoModelForCausalLM

    folder = auto_fp8(tmp_path / "fp8")
    _, info = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, output_loading_info=True)
    left_out = set(info["unexpected_keys"])
    assert "model.layers.0.mlp.up_proj.weight_scale" in left_out
