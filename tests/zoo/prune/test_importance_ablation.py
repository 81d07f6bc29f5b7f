"""Cutting by importance costs less than cutting at random, on trained weights."""

import numpy as np

from backends.tokenizer import HfTokenizer
from zoo.prune.calibration import CalibrationText, Sampling, read_calibration
from zoo.prune.importance.ablation import importance_ablation
from zoo.prune.importance.settings import ImportanceSettings
from zoo.prune.parent import open_parent
from zoo.prune.target import Target


def test_importance_beats_random_choice_and_reversed_importance_is_worst(stories, data, tmp_path):
    """Held-out loss: importance < mean of five random draws < reversed importance (docs/pruning.md, there on all rows)."""
    words = HfTokenizer(stories)
    file = data / "text" / "tinystories_sample.txt"
    text = CalibrationText(file, lambda texts: words.encode(texts, add_special_tokens=False), words.bos_id)
    rows = read_calibration(text, 512, Sampling(samples=40, length=256))
    cuts = {
        "ffn": (Target(ffn=129), "bi"),
        "heads": (Target(heads=4), "bi"),
        "layer": (Target(layers=4), "bi"),
        "layer, by perplexity": (Target(layers=4), "ppl"),
    }
    results = importance_ablation(open_parent(stories), cuts, rows, tmp_path, ImportanceSettings(perplexity=True))
    assert [result.cut for result in results] == list(cuts)
    for result in results:
        assert result.parent < result.importance < np.mean(result.random) < result.reversed, result
