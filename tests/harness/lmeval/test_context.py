"""A run takes lm-eval's context; where the model states none, what is assumed is told and recorded."""

import json

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from harness.records.files import read_record
from zoo.nano.tokenizer import train_tokenizer

TEXT = {
    "vocab_size": 768,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}
HEADS = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "intermediate_size": 32}
VISION = {"model_type": "siglip_vision_model", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
          "num_attention_heads": 2, "image_size": 28, "patch_size": 14}  # fmt: skip
CONFIGS = {
    "gemma3": {
        "text_config": {**TEXT, **HEADS, "model_type": "gemma3_text", "max_position_embeddings": 96},
        "vision_config": VISION,
    },
    "mamba": {**TEXT, "state_size": 4},
}


@pytest.mark.parametrize(
    ("kind", "context", "assumed"),
    [
        ("gemma3", 96, None),
        ("mamba", 64, "config.json states no context, so the tokenizer's 64 tokens are taken"),
    ],
)
def test_the_context_of_a_run_is_told_where_it_is_assumed(kind, context, assumed, minizoo, tmp_path, monkeypatch):
    torch.manual_seed(0)
    model = tmp_path / "model"
    AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **CONFIGS[kind])).save_pretrained(model)
    train_tokenizer(["once upon a time"], 64).save_pretrained(model)
    (tmp_path / "quiz.jsonl").write_text('{"q": "once upon", "c": [" a", " time"], "gold": 0}\n')
    (tmp_path / "context_tasks").mkdir()
    (tmp_path / "context_tasks/quiz.yaml").write_text(
        json.dumps(
            {
                "task": "quiz", "output_type": "multiple_choice", "dataset_path": "json", "test_split": "test",
                "dataset_kwargs": {"data_files": {"test": str(tmp_path / "quiz.jsonl")}}, "doc_to_text": "{{q}}",
                "doc_to_choice": "{{c}}", "doc_to_target": "gold", "metric_list": [{"metric": "acc"}],
            }
        )
    )  # fmt: skip
    (tmp_path / "suite.yaml").write_text("name: own\nfolders: [context_tasks]\ntasks: [{task: quiz}]\n")
    monkeypatch.syspath_prepend(tmp_path)
    argv = [
        "eval",
        "--model",
        model,
        "--suite",
        tmp_path / "suite.yaml",
        "--results",
        tmp_path / "r",
        "--device",
        "cpu",
    ]
    ran = minizoo(*argv)
    assert ran.code == 0, ran.err
    (path,) = (tmp_path / "r").glob("runs/*/*/*/record.json")
    record = read_record(path)
    assert (record.context, record.context_assumed) == (context, assumed)
    assert ("The context is assumed" in ran.err) == bool(assumed)
    if assumed:
        assert assumed in ran.err
        assert assumed in minizoo(*argv, "--dry-run", "--no-probe").err
