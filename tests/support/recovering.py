"""A family in the registry and in results: the nano teacher, a child pruned from it, and what that became by distillation."""

import json

import numpy as np

from harness.records.record import Subject
from support.compared import keep
from zoo.registry.loader import load_registry

PARENT, PRUNED, DISTILLED = "nano-teacher", "my-pruned", "my-distilled"
MODELS = (PARENT, PRUNED, DISTILLED)
SUITE = {"suite": "smoke"}


def family_file(folder, pruned=None, distilled=None, **changes):
    """A registry file (JSON is YAML) with the two children; changes of the lineage of either, or of the entry of the second."""
    dims = load_registry().models["nano-width-pruned"]
    lineage = dims.lineage
    given = {"parent": PARENT, "compression": {"kind": "width", "axes": lineage.compression.axes}, "source": "mine"}
    entry = {
        "group": "related", "kind": "base", "display": "Mine", "architecture_source": "mine",
        "architecture": dims.architecture.model_dump(mode="json", exclude_none=True),
    }  # fmt: skip
    cut = entry | {"lineage": given | {"relation": ["pruned"]} | (pruned or {})}
    back = {"relation": ["pruned", "distilled"], "teacher": PARENT, "pruned": PRUNED}
    restored = entry | {"lineage": given | back | (distilled or {})} | changes
    text = {
        "schema": "minizoo.registry/1",
        "sources": {"mine": {"kind": "project", "title": "Mine"}},
        "models": {PRUNED: cut, DISTILLED: restored},
    }
    path = folder / "mine.yaml"
    path.write_text(json.dumps(text), "utf-8")
    return path


def subject(model, **changes):
    """A model of the registry."""
    fields = {"id": model, "source": "minizoo", "revision": None, "weights_digest": model, "tokenizer_digest": "t"}
    return Subject(**fields | {"kind": "registry", "entry": {"id": model}} | changes)


def rights(n=400, seed=1):
    """Right or wrong of all three on the same documents: 0.9, then a third of it lost, of which 0.7 comes back."""
    dice = np.random.default_rng(seed)
    parent = dice.random(n) < 0.9
    pruned = np.where(dice.random(n) < 0.4, dice.random(n) < 0.25, parent)
    distilled = np.where(dice.random(n) < 0.7, parent, pruned)
    return {model: list(map(float, values)) for model, values in zip(MODELS, (parent, pruned, distilled), strict=True)}


def golds(values):
    """Log-probabilities of right answers that go with being right."""
    return [-0.2 - 0.01 * (at % 7) if value else -1.5 - 0.02 * (at % 5) for at, value in enumerate(values)]


def keep_family(results, models=MODELS, task="winogrande", **changes):
    """Write what `rights` says of these models into a results folder."""
    told = rights()
    for model in models:
        columns = {"gold_logprob": golds(told[model])}
        keep(results, model, told[model], task, columns=columns, **{"subject": subject(model), **SUITE, **changes})
