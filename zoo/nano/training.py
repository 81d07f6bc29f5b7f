"""Training of the nano teacher from scratch, on the CPU; deterministic for a seed, a thread count and an instruction set."""

from __future__ import annotations

import itertools
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from zoo.files import publish_folder
from zoo.nano import corpus
from zoo.nano.muon import Muon
from zoo.nano.rows import Rows, document_positions
from zoo.nano.tokenizer import BOS_ID, EOS_ID, VOCABULARY, train_tokenizer

CONTEXT = 512


@dataclass(frozen=True)
class Stage:
    """A part of the training with optimizers and a schedule of its own; it begins with the last one's weights in bf16."""

    steps: int
    seed: int
    """Of its text."""
    mixture: str
    """Of corpus.MIXTURES."""


class RowSource(Protocol):
    """Where a training takes its rows from."""

    def take(self, rows: int, length: int) -> torch.Tensor:
        """The next rows, of token ids [rows, length]."""
        ...


STAGES = (Stage(1200, 1, "long sums"), Stage(900, 3, "many sums"))
"""The first reads sums of up to four numbers and three digits, and learns everything but those; the second learns sums."""


@dataclass(frozen=True)
class TrainingRecipe:
    """Hyper-parameters of the teacher. Lengths and batches are in tokens; both learning rates warm up, hold, and fall to 0.

    The first stage's seed is also that of the tokenizer's text and of the weights.

    Matrices are trained by Muon (Jordan et al. 2024), embeddings and norms by AdamW. (With AdamW alone a model of this
    shape, on an earlier form of this text, got 8 % of the sums right after 4.1 M tokens.)
    """

    stages: tuple[Stage, ...] = STAGES
    tokenizer_documents: int = 20_000
    """Documents of the first stage that the tokenizer is trained on."""
    threads: int = 1
    batch: int = 4096
    micro: int = 1024
    """So many of a batch are computed at once: what the caches of a core hold."""
    row: int = 256
    long_every: int = 8
    """Every so many batches the rows are as long as the context and one document, so that late positions are trained too."""
    matrix_rate: float = 0.02
    other_rate: float = 4e-3
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.95)
    warm_up: float = 0.03
    fall: float = 0.4
    clip: float = 1.0
    held_out_rows: int = 128


def architecture() -> LlamaConfig:
    """The teacher's shape: GQA with three query heads a group, and a head_dim that is not hidden / heads."""
    return LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=144,
        intermediate_size=320,
        num_hidden_layers=6,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=CONTEXT,
        initializer_range=0.04,
        tie_word_embeddings=True,
        bos_token_id=BOS_ID,
        eos_token_id=EOS_ID,
        pad_token_id=EOS_ID,
    )


def train(recipe: TrainingRecipe, out: Path) -> dict[str, object]:
    """Train the teacher by `recipe` and write the checkpoint to the folder `out`, replacing what is there at the end.

    Writes config.json, model.safetensors (bf16), the tokenizer's files and minizoo.json, whose content is returned. Sets
    torch's thread count and deterministic algorithms for the whole process.
    """
    torch.set_num_threads(recipe.threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(recipe.stages[0].seed)

    tokenizer = train_tokenizer(itertools.islice(_text(recipe.stages[0]), recipe.tokenizer_documents), CONTEXT)
    model = LlamaForCausalLM(architecture())
    stages = [_run(stage, model, tokenizer, recipe) for stage in recipe.stages]
    torch.nn.Module.to(model, torch.bfloat16)
    note: dict[str, object] = {
        "made_by": "python -m zoo.nano",
        **asdict(recipe),
        "stages": stages,
        "tokens": sum(stage.steps for stage in recipe.stages) * recipe.batch,
        "parameters": model.num_parameters(),
        "held_out_loss": round(held_out_loss(model, tokenizer, recipe), 4),
        "torch": str(torch.__version__),
    }
    _write(model, tokenizer, note, out)
    return note


@torch.no_grad()
def held_out_loss(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, recipe: TrainingRecipe) -> float:
    """Mean cross-entropy in nats a token, in fp32, on documents made of test items alone, mixed as at last."""
    judge = LlamaForCausalLM(model.config)
    judge.load_state_dict(model.state_dict())
    texts = corpus.documents(recipe.stages[0].seed, test=True)
    rows = Rows(texts, tokenizer).take(recipe.held_out_rows, recipe.row)
    return judge(input_ids=rows, position_ids=document_positions(rows), labels=rows, use_cache=False).loss.item()


def _text(stage: Stage) -> Iterator[str]:
    return corpus.documents(stage.seed, mixture=corpus.MIXTURES[stage.mixture])


def _run(
    stage: Stage, model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, recipe: TrainingRecipe
) -> dict[str, object]:
    """Train through a stage and round the weights; returns the stage with what it read and its last loss."""
    rows = Rows(_text(stage), tokenizer)
    loss = fit(model, rows, recipe, stage.steps)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight.to(torch.bfloat16))
    return {**asdict(stage), "documents": rows.documents, "final_loss": round(loss, 4)}


def fit(model: LlamaForCausalLM, rows: RowSource, recipe: TrainingRecipe, steps: int) -> float:
    """Train the model in place by so many steps; returns the mean loss over the last twentieth of them, in nats a token.

    Every document of a row begins with BOS, by which documents are masked apart.
    """
    optimizers = _optimizers(model, recipe)
    schedules = [torch.optim.lr_scheduler.LambdaLR(each, _rate(recipe, steps)) for each in optimizers]
    losses: list[float] = []
    began = time.monotonic()
    for step in range(1, steps + 1):
        long = step % recipe.long_every == 0
        length = CONTEXT if long else recipe.row
        batch = rows.take(recipe.batch // length, length)
        losses.append(
            sum(_backward(model, part, long, len(part) / len(batch)) for part in batch.split(recipe.micro // length))
        )
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        for each in (*optimizers, *schedules):
            each.step()
        model.zero_grad()
        if step % 50 == 0 or step == steps:
            _print_progress(step, steps, losses, time.monotonic() - began, recipe.batch)
    last = losses[-max(1, steps // 20) :]
    return sum(last) / len(last)


def _backward(model: LlamaForCausalLM, rows: torch.Tensor, long: bool, share: float) -> float:
    """Add the gradient of these rows' mean loss, of which the batch has `share`; returns their part of the loss."""
    apart = None if long else document_positions(rows)
    loss = model(input_ids=rows, position_ids=apart, labels=rows, use_cache=False).loss * share
    loss.backward()
    return loss.item()


def _optimizers(model: LlamaForCausalLM, recipe: TrainingRecipe) -> tuple[torch.optim.Optimizer, ...]:
    """Muon for the weight matrices of the layers, AdamW for the embeddings and the norms."""
    matrices = [weight for weight in model.model.layers.parameters() if weight.dim() == 2]
    taken = {id(weight) for weight in matrices}
    others = [weight for weight in model.parameters() if id(weight) not in taken]
    return (
        Muon(matrices, lr=recipe.matrix_rate, weight_decay=recipe.weight_decay),
        torch.optim.AdamW(others, lr=recipe.other_rate, betas=recipe.betas, weight_decay=0.0),
    )


def _rate(recipe: TrainingRecipe, steps: int) -> Callable[[int], float]:
    """The share of the peak rate at a step: warm-up, stable, then linear decay."""

    def share(step: int) -> float:
        done = step / steps
        return min((done + 1 / steps) / recipe.warm_up, 1.0, (1 - done) / recipe.fall)

    return share


def _print_progress(step: int, steps: int, losses: list[float], seconds: float, batch: int) -> None:
    recent = losses[-50:]
    loss = sum(recent) / len(recent)
    rate = step * batch / seconds
    left = seconds / step * (steps - step) / 60
    line = f"step {step}/{steps}  loss {loss:.3f}  {rate:,.0f} tokens/s  {left:.1f} min left"
    print(line, file=sys.stderr, flush=True)


def _write(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, note: dict[str, object], out: Path) -> None:
    """Write the checkpoint beside `out`, then replace `out` by it."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
        fresh, old = Path(scratch, "fresh"), Path(scratch, "old")
        fresh.mkdir()
        model.save_pretrained(fresh)
        tokenizer.save_pretrained(fresh)
        (fresh / "minizoo.json").write_text(json.dumps(note, indent=2) + "\n")
        if out.exists():
            shutil.move(out, old)
        publish_folder(fresh, out)
