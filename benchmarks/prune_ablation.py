"""The figures of docs/pruning.md: held-out loss after cutting by importance, at random, and by reversed importance.

python benchmarks/prune_ablation.py --parent FOLDER --calibration FILE
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from backends.tokenizer import HfTokenizer
from zoo.prune.calibration import CalibrationText, Sampling, read_calibration
from zoo.prune.importance.ablation import AblationResult, importance_ablation
from zoo.prune.importance.settings import ImportanceSettings
from zoo.prune.parent import open_parent
from zoo.prune.target import Target

LENGTH = 256


def ablation(folder: Path, file: Path, work: Path) -> list[AblationResult]:
    """A quarter of the FFN, half of the query heads, a quarter of the hidden channels, one layer by both measures."""
    parent = open_parent(folder)
    dims = parent.dims
    cuts: dict[str, tuple[Target, Any]] = {
        "25 % of the FFN": (Target(ffn=dims.ffn_hidden_size * 3 // 4), "bi"),
        "half of the query heads": (Target(heads=dims.num_attention_heads // 2), "bi"),
        "25 % of the hidden channels": (Target(hidden=dims.hidden_size * 3 // 4), "bi"),
        "one layer, by Block Influence": (Target(layers=dims.num_layers - 1), "bi"),
        "one layer, by perplexity": (Target(layers=dims.num_layers - 1), "ppl"),
    }
    words = HfTokenizer(folder)
    encode = lambda texts: words.encode(texts, add_special_tokens=False)  # noqa: E731
    text = CalibrationText(file, encode, words.bos_id, words.eos_id)
    rows = read_calibration(text, dims.vocab_size, Sampling(samples=10**6, length=LENGTH))
    return importance_ablation(parent, cuts, rows, work, ImportanceSettings(perplexity=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parent", type=Path, required=True)
    parser.add_argument("--calibration", type=Path, required=True)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        rows = ablation(asked.parent, asked.calibration, Path(work))
    print(f"parent: {rows[0].parent:.3f} nats a token")
    print("| cut | by importance | random, mean (lowest – highest of 5) | by reversed importance |")
    print("| --- | --- | --- | --- |")
    for row in rows:
        spread = f"{np.mean(row.random):.2f} ({min(row.random):.2f} – {max(row.random):.2f})"
        print(f"| {row.cut} | {row.importance:.2f} | {spread} | {row.reversed:.2f} |")


if __name__ == "__main__":
    main()
