"""Training the nano teacher from scratch: plain PyTorch on the CPU, the same bytes for one seed and thread count."""

from __future__ import annotations

import itertools
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from zoo.nano import corpus, tokenizer

CONTEXT = 512
TOKENIZER_DOCUMENTS = 20_000
"""Training documents from which the tokenizer is learnt."""
ENCODED_AT_ONCE = 256


@dataclass(frozen=True)
class Recipe:
    """How the teacher is trained. Lengths and batches in tokens; the rate warms up, holds, then falls to zero."""

    seed: int = 1
    steps: int = 2400
    threads: int = 2
    row: int = 256
    batch: int = 4096
    long_every: int = 8
    """Every so many batches the rows are as long as the context, so that late positions are trained too."""
    peak_rate: float = 4e-3
    warm_up: float = 0.05
    fall: float = 0.5
    betas: tuple[float, float] = (0.9, 0.95)
    weight_decay: float = 0.1
    clip: float = 1.0
    held_out_rows: int = 128


class Rows:
    """Training text as rows of token ids. Each row begins with a document; the last document in it may be cut."""

    def __init__(self, documents: Iterator[str], words: PreTrainedTokenizerFast) -> None:
        self.documents = 0
        """Documents read so far, cut ones included."""
        self._encoded = self._encode(documents, words)

    def take(self, rows: int, length: int) -> torch.Tensor:
        """The next rows, of token ids [rows, length]."""
        return torch.tensor([self._row(length) for _ in range(rows)])

    def _row(self, length: int) -> list[int]:
        row: list[int] = []
        while len(row) < length:
            row += next(self._encoded)
        return row[:length]

    def _encode(self, documents: Iterator[str], words: PreTrainedTokenizerFast) -> Iterator[list[int]]:
        while texts := list(itertools.islice(documents, ENCODED_AT_ONCE)):
            for ids in words(texts)["input_ids"]:
                self.documents += 1
                yield [*ids, tokenizer.EOS_ID]


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

    words = tokenizer.train(itertools.islice(corpus.documents(recipe.seed), TOKENIZER_DOCUMENTS), CONTEXT)
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
    batch = Rows(corpus.documents(recipe.seed, test=True), words).take(recipe.held_out_rows, recipe.row)
    return judge(input_ids=batch, labels=batch).loss.item()


def _fit(model: LlamaForCausalLM, rows: Rows, recipe: Recipe) -> float:
    """Runs every step; returns the mean loss over the last twentieth of them, in nats a token."""
    decayed = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=recipe.peak_rate,
        betas=recipe.betas,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step / recipe.steps, recipe))
    losses: list[float] = []
    began = time.monotonic()
    for step in range(1, recipe.steps + 1):
        length = CONTEXT if step % recipe.long_every == 0 else recipe.row
        batch = rows.take(recipe.batch // length, length)
        loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
        if step % 50 == 0 or step == recipe.steps:
            _tell(step, losses, time.monotonic() - began, recipe)
    last = losses[-max(1, recipe.steps // 20) :]
    return sum(last) / len(last)


def _rate(done: float, recipe: Recipe) -> float:
    """The learning rate as a share of its peak: warm-up, stable, then linear decay."""
    return min((done + 1 / recipe.steps) / recipe.warm_up, 1.0, (1 - done) / recipe.fall)


def _tell(step: int, losses: list[float], seconds: float, recipe: Recipe) -> None:
    recent = losses[-50:]
    rate = step * recipe.batch / seconds
    left = seconds / step * (recipe.steps - step) / 60
    loss = sum(recent) / len(recent)
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
