"""Published speed-ups stand under each GPU that the source may mean, and under no other."""

from __future__ import annotations

import pytest

from reports.speed.published import may_mean, published_on
from zoo.arch.gpus import load_gpus
from zoo.registry.loader import load_registry


@pytest.mark.parametrize(
    ("named", "meant"),
    [
        ("H100 80 GB", {"h100-sxm", "h100-pcie"}),
        ("NVIDIA H100", {"h100-sxm", "h100-pcie", "h100-nvl"}),
        ("A100 PCIe 80GB", {"a100-80-pcie"}),
        ("H200", {"h200"}),
        ("H100 96 GB", set()),
        ("Hopper", set()),
        ("", set()),
        ("80 GB", set()),
    ],
)
def test_a_name_means_every_form_that_it_does_not_rule_out(named: str, meant: set[str]):
    assert {key for key, gpu in load_gpus().items() if may_mean(named, gpu)} == meant


def test_a_line_has_its_batches_source_and_words():
    lines = published_on(load_gpus()["h100-sxm"], load_registry())
    first = next(line for line in lines if line.model == "llama-3.1-minitron-4b-width")
    assert (first.against, first.ratio, first.batches) == ("llama-3.1-8b", "1.8", "64 : 32")
    assert first.source == "LLM Pruning and Distillation in Practice: The Minitron Approach"
    assert "1.8× over Llama 3.1 8B" in first.quote
    assert published_on(load_gpus()["l4"], load_registry()) == ()
