"""Training the nano teacher from scratch: plain PyTorch on the CPU, the same bytes for one seed and thread count."""

from __future__ import annotations

import itertools
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from zoo.nano import corpus, tokenizer
from zoo.nano.rows import Rows, places

CONTEXT = 512
TOKENIZER_DOCUMENTS = 20_000
"""Documents from which the tokenizer is learnt."""


@dataclass(frozen=True)
class Recipe:
    """How the teacher is trained. Lengths and batches are in tokens; both rates warm up, hold, and fall to zero.

    Matrices learn by Muon (Jordan et al. 2024), embeddings and norms by AdamW. (With AdamW alone a model of
    this shape, on an earlier form of this text, got 8 % of the sums right after 4.1 M tokens.)
    """

    seed: int = 1
    steps: int = 1600
    threads: int = 1
    batch: int = 4096
    row: int = 256
    long_every: int = 8
    """Every so many batches the rows are as long as the context and one text, so that late places are trained too."""
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
        vocab_size=tokenizer.VOCABULARY,
        hidden_size=144,
        intermediate_size=320,
        num_hidden_layers=6,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=CONTEXT,
        initializer_range=0.04,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.BOS_ID,
        eos_token_id=tokenizer.EOS_ID,
        pad_token_id=tokenizer.EOS_ID,
    )


def train(recipe: Recipe, out: Path) -> dict[str, object]:
    """Trains the teacher by `recipe` and puts the checkpoint into the folder `out`, all of it or nothing.

    Writes config.json, model.safetensors (bf16), the tokenizer's files and minizoo.json, whose content is returned.
    """
    torch.set_num_threads(recipe.threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(recipe.seed)

    sample = itertools.islice(corpus.documents(recipe.seed), TOKENIZER_DOCUMENTS)
    words = tokenizer.train(sample, CONTEXT)
    model = LlamaForCausalLM(architecture())
    rows = Rows(corpus.documents(recipe.seed), words)
    loss = _fit(model, rows, recipe)
    torch.nn.Module.to(model, torch.bfloat16)
    note: dict[str, object] = {
        "made_by": "python -m zoo.nano",
        **asdict(recipe),
        "tokens": recipe.steps * recipe.batch,
        "documents": rows.documents,
        "parameters": model.num_parameters(),
        "final_loss": round(loss, 4),
        "held_out_loss": round(held_out_loss(model, words, recipe), 4),
        "torch": str(torch.__version__),
    }
    _write(model, words, note, out)
    return note


@torch.no_grad()
def held_out_loss(model: LlamaForCausalLM, words: PreTrainedTokenizerFast, recipe: Recipe) -> float:
    """Mean cross-entropy in nats a token, in fp32, on documents made of test items alone."""
    judge = LlamaForCausalLM(model.config)
    judge.load_state_dict(model.state_dict())
    rows = Rows(corpus.documents(recipe.seed, test=True), words).take(recipe.held_out_rows, recipe.row)
    return judge(input_ids=rows, position_ids=places(rows), labels=rows, use_cache=False).loss.item()


def _fit(model: LlamaForCausalLM, rows: Rows, recipe: Recipe) -> float:
    """Runs every step; returns the mean loss over the last twentieth of them, in nats a token."""
    optimizers = _optimizers(model, recipe)
    schedules = [torch.optim.lr_scheduler.LambdaLR(each, _rate(recipe)) for each in optimizers]
    losses: list[float] = []
    began = time.monotonic()
    for step in range(1, recipe.steps + 1):
        long = step % recipe.long_every == 0
        length = CONTEXT if long else recipe.row
        batch = rows.take(recipe.batch // length, length)
        apart = None if long else places(batch)
        loss = model(input_ids=batch, position_ids=apart, labels=batch, use_cache=False).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        for each in (*optimizers, *schedules):
            each.step()
        model.zero_grad()
        losses.append(loss.item())
        if step % 50 == 0 or step == recipe.steps:
            _tell(step, losses, time.monotonic() - began, recipe)
    last = losses[-max(1, recipe.steps // 20) :]
    return sum(last) / len(last)


def _optimizers(model: LlamaForCausalLM, recipe: Recipe) -> tuple[torch.optim.Optimizer, ...]:
    """Muon for what multiplies activations, AdamW for the embeddings and the norms."""
    matrices = [weight for weight in model.model.layers.parameters() if weight.dim() == 2]
    taken = {id(weight) for weight in matrices}
    others = [weight for weight in model.parameters() if id(weight) not in taken]
    return (
        torch.optim.Muon(matrices, lr=recipe.matrix_rate, weight_decay=recipe.weight_decay),
        torch.optim.AdamW(others, lr=recipe.other_rate, betas=recipe.betas, weight_decay=0.0),
    )


def _rate(recipe: Recipe) -> Callable[[int], float]:
    """The share of the peak rate at a step: warm-up, stable, then linear decay."""

    def share(step: int) -> float:
        done = step / recipe.steps
        return min((done + 1 / recipe.steps) / recipe.warm_up, 1.0, (1 - done) / recipe.fall)

    return share


def _tell(step: int, losses: list[float], seconds: float, recipe: Recipe) -> None:
    recent = losses[-50:]
    loss = sum(recent) / len(recent)
    rate = step * recipe.batch / seconds
    left = seconds / step * (recipe.steps - step) / 60
    line = f"step {step}/{recipe.steps}  loss {loss:.3f}  {rate:,.0f} tokens/s  {left:.1f} min left"
    print(line, file=sys.stderr, flush=True)


def _write(model: LlamaForCausalLM, words: PreTrainedTokenizerFast, note: dict[str, object], out: Path) -> None:
    """Writes the checkpoint beside `out` and moves it there when it is whole."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
        fresh, old = Path(scratch, "fresh"), Path(scratch, "old")
        fresh.mkdir()
        model.save_pretrained(fresh)
        words.save_pretrained(fresh)
        (fresh / "minizoo.json").write_text(json.dumps(note, indent=2) + "\n")
        if out.exists():
            shutil.move(out, old)
        fresh.rename(out)
