"""Steps of TRL's off-policy distillation, in an environment that has TRL and no minizoo.

The class is `trl.experimental.gkd.GKDTrainer` with `lmbda=0` (nothing is generated: off-policy), `beta=0` (forward KL) and
temperature 1. TRL's `DistillationTrainer` is on-policy alone: it takes prompts and trains on what the student says.
"""

from __future__ import annotations

import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.distillation.memory import Stretch

PACKAGES = ("trl", "torch", "transformers", "accelerate")
IGNORED = -100


class TrlJob:
    """The trainer with both models. The one turn takes all steps, as its `train` does, and times each."""

    def __init__(self, told: dict[str, Any]) -> None:
        from datasets import Dataset
        from transformers import AutoModelForCausalLM

        self.told = told
        self.scratch = tempfile.TemporaryDirectory()
        rows = np.load(told["rows"])
        student, teacher = (
            AutoModelForCausalLM.from_pretrained(Path(told["pair"]) / name, dtype=torch.float32)
            for name in ("student", "teacher")
        )
        for model in (student, teacher):
            model.config.use_cache = False
        self.trainer = _recorded()(
            model=student,
            teacher_model=teacher,
            args=_config(told, self.scratch.name),
            data_collator=_collate,
            train_dataset=Dataset.from_dict({"input_ids": rows.tolist()}),
            processing_class=_tokenizer(),
        )

    def turn(self, told: dict[str, Any]) -> dict[str, Any]:
        from transformers import TrainerCallback

        steps: list[dict[str, Any]] = []

        class Timed(TrainerCallback):
            """A stretch a step, from its first micro-batch to the optimizer's step."""

            def on_step_begin(self, *_: Any, **__: Any) -> None:
                self.stretch = Stretch()
                self.stretch.__enter__()

            def on_step_end(self, *_: Any, **__: Any) -> None:
                self.stretch.__exit__(None, None, None)
                steps.append(self.stretch.told())

        self.trainer.add_callback(Timed())
        self.trainer.train()
        micros = self.told["batch"] // self.told["micro"]
        losses = np.array(self.trainer.losses).reshape(-1, micros).sum(1)
        for step, loss in zip(steps, losses.tolist(), strict=True):
            step["loss"] = loss
        norms = [log["grad_norm"] for log in self.trainer.state.log_history if "grad_norm" in log]
        for step, norm in zip(steps, norms, strict=True):
            step["grad_norm"] = float(norm)
        return {
            "steps": steps,
            "class": "trl.experimental.gkd.GKDTrainer",
            "settings": _shown(self.told),
            "packages": {name: version(name) for name in PACKAGES},
        }


def _recorded() -> type[Any]:
    """The trainer, but it keeps each micro-batch's loss whole (its log rounds) and takes the rows as they lie."""
    from torch.utils.data import SequentialSampler
    from trl.experimental.gkd import GKDTrainer

    class Recorded(GKDTrainer):
        losses: list[float]

        def compute_loss(self, *given: Any, **named: Any) -> Any:
            loss = super().compute_loss(*given, **named)
            self.__dict__.setdefault("losses", []).append(float(loss))
            return loss

        def _get_train_sampler(self, *_: Any, **__: Any) -> Any:
            return SequentialSampler(self.train_dataset)

    return Recorded


def _shown(told: dict[str, Any]) -> dict[str, Any]:
    """The settings by which the two trainers do the same."""
    return {
        "lmbda": 0.0,
        "beta": 0.0,
        "temperature": 1.0,
        "max_steps": told["steps"],
        "per_device_train_batch_size": told["micro"],
        "gradient_accumulation_steps": told["batch"] // told["micro"],
        "learning_rate": told["rate"],
        "lr_scheduler_type": "constant",
        "warmup_steps": 0,
        "adam_beta1": 0.9,
        "adam_beta2": 0.95,
        "weight_decay": 0.1,
        "max_grad_norm": 1.0,
        "gradient_checkpointing": False,
        "bf16": False,
    }


def _config(told: dict[str, Any], folder: str) -> Any:
    from trl.experimental.gkd import GKDConfig

    return GKDConfig(
        output_dir=folder, use_cpu=True, report_to=[], logging_steps=1, save_strategy="no", disable_tqdm=True,
        dataloader_pin_memory=False, max_length=None, **_shown(told),
    )  # fmt: skip


def _collate(rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Whole rows; the first token of each is nobody's label, so that tokens are counted as they are by minizoo."""
    ids = torch.tensor([row["input_ids"] for row in rows])
    labels = ids.clone()
    labels[:, 0] = IGNORED
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}


def _tokenizer() -> Any:
    """The trainer wants one; it reads no text."""
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import PreTrainedTokenizerFast

    words = WordLevel({"<pad>": 0, "<eos>": 1}, unk_token="<pad>")
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(words), pad_token="<pad>", eos_token="<eos>")
