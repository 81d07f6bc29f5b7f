"""The data sets of the hub behind tasks: by lm-eval's own YAML (a test compares), and the hub's name of each as a benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class HubDataset:
    """A data set, and the part of it that a task scores."""

    id: str
    config: str
    split: str
    name: str
    """As people call the benchmark."""
    benchmark: str | None = None
    """The task's id in the benchmark's own eval.yaml, where one is known to exist: the hub shows only results of those."""

    @property
    def task_id(self) -> str:
        """What `.eval_results` names: the benchmark's task, of other data sets the configuration."""
        return self.benchmark or self.config


DATASETS: Mapping[str, HubDataset] = MappingProxyType(
    {
        "arc_challenge": HubDataset("allenai/ai2_arc", "ARC-Challenge", "test", "ARC-Challenge"),
        "arc_easy": HubDataset("allenai/ai2_arc", "ARC-Easy", "test", "ARC-Easy"),
        "boolq": HubDataset("aps/super_glue", "boolq", "validation", "BoolQ"),
        "commonsense_qa": HubDataset("tau/commonsense_qa", "default", "validation", "CommonsenseQA"),
        "gsm8k": HubDataset("openai/gsm8k", "main", "test", "GSM8K", "gsm8k"),
        "hellaswag": HubDataset("Rowan/hellaswag", "default", "validation", "HellaSwag"),
        "humaneval": HubDataset("openai/openai_humaneval", "default", "test", "HumanEval"),
        "ifeval": HubDataset("google/IFEval", "default", "train", "IFEval"),
        "lambada_openai": HubDataset("EleutherAI/lambada_openai", "default", "test", "LAMBADA"),
        "mbpp": HubDataset("google-research-datasets/mbpp", "full", "test", "MBPP"),
        "mbpp_0shot": HubDataset("google-research-datasets/mbpp", "full", "test", "MBPP"),
        "mmlu": HubDataset("cais/mmlu", "all", "test", "MMLU"),
        "mmlu_pro": HubDataset("TIGER-Lab/MMLU-Pro", "default", "test", "MMLU-Pro", "mmlu_pro"),
        "openbookqa": HubDataset("allenai/openbookqa", "main", "test", "OpenBookQA"),
        "piqa": HubDataset("baber/piqa", "default", "validation", "PIQA"),
        "race": HubDataset("EleutherAI/race", "high", "test", "RACE"),
        "sciq": HubDataset("allenai/sciq", "default", "test", "SciQ"),
        "truthfulqa_mc1": HubDataset("truthfulqa/truthful_qa", "multiple_choice", "validation", "TruthfulQA"),
        "truthfulqa_mc2": HubDataset("truthfulqa/truthful_qa", "multiple_choice", "validation", "TruthfulQA"),
        "wikitext": HubDataset("EleutherAI/wikitext_document_level", "wikitext-2-raw-v1", "test", "WikiText-2"),
        "wikitext2_2048": HubDataset("EleutherAI/wikitext_document_level", "wikitext-2-raw-v1", "test", "WikiText-2"),
        "winogrande": HubDataset("allenai/winogrande", "winogrande_xl", "validation", "WinoGrande"),
        "xlsum_en": HubDataset("csebuetnlp/xlsum", "english", "test", "XL-Sum (English)"),
        "xlsum_en_0shot": HubDataset("csebuetnlp/xlsum", "english", "test", "XL-Sum (English)"),
    }
)
"""Task or group → its data set. A task with none here is generated, or nobody has looked it up."""
