"""Where each page of the site is: the one place that makes file names of models, runs and hardware."""

from __future__ import annotations

import hashlib
import re

PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,60}")
HOME = "index.html"
MODELS = "models/index.html"
RUNS = "runs/index.html"
COMPARE = "compare/index.html"
SPEED = "speed/index.html"
CLAIMS = "claims.html"
GATE = "gate.html"
HISTORY = "history.html"
FINDINGS = "findings.html"
ENGINES = "engines.html"
NAVIGATION = (
    ("Leaderboard", HOME),
    ("Models", MODELS),
    ("Compare", COMPARE),
    ("Speed", SPEED),
    ("Runs", RUNS),
    ("Claims", CLAIMS),
    ("Gate", GATE),
    ("History", HISTORY),
    ("Findings", FINDINGS),
    ("Engines", ENGINES),
)
"""The pages that every page leads to. An address is relative to the site's root, with `/` between its parts."""


def slug(name: str) -> str:
    """A file name for any text: itself where it is plain, else what is plain of it and eight digits of its digest.

    Never `index`, which is a folder's first page.
    """
    if PLAIN.fullmatch(name) and name != "index":
        return name
    plain = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-.")[:40]
    return f"{plain or 'x'}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def board_page(group: str, number: int = 1) -> str:
    """A page of the board; the home page shows the first page of the first group too. `other-2` is a group of its own."""
    return f"board/{slug(group)}{'' if number == 1 else f'-page-{number}'}.html"


def model_page(model: str) -> str:
    """The page of a model, by its shown name."""
    return f"models/{slug(model)}.html"


def run_page(run_id: str) -> str:
    """The page of a run; its samples stand in the folder of the same name."""
    return f"runs/{slug(run_id)}.html"


def samples_file(run_id: str, task_folder: str) -> str:
    """The Parquet file of a run's samples of one task, by the name that the record's folder has."""
    return f"runs/{slug(run_id)}/{slug(task_folder)}.parquet"


def comparison_page(a: str, b: str) -> str:
    """The page of two models, the reference first."""
    return f"compare/{slug(a)}--{slug(b)}.html"


def speed_page(hardware: str) -> str:
    """The page of a GPU (by its id in gpus.yaml or its product name) or a processor."""
    return f"speed/{slug(hardware)}.html"


def relative(here: str, target: str) -> str:
    """The link from one page to another; `target` may end in a fragment."""
    return "../" * here.count("/") + target
