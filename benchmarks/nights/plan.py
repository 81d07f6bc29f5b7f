"""The plan that is simulated: models, tasks and GPUs, how nights go, and what the gate may spend on false alarms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MODELS = 5
GPUS = 4
CELLS = MODELS * GPUS
NIGHTS_OF_A_BASELINE = 20
"""Nights that are compared with one baseline before a new series, with new items, begins."""
SLOW_NIGHTS = 2
"""Nights at the end of a series of speeds in which the candidate is slower."""

Kind = Literal["choice", "answer", "mass", "text"]


@dataclass(frozen=True)
class Task:
    """A benchmark at its real size. `choice`: right or wrong by log-probabilities, with a gold one; `answer`: right or wrong of
    greedy text; `mass`: a share of probabilities; `text`: the overlap of two texts."""

    name: str
    documents: int
    kind: Kind

    @property
    def binary(self) -> bool:
        """Whether a document is right or wrong."""
        return self.kind in ("choice", "answer")


TASKS = (
    Task("mmlu", 14_042, "choice"),
    Task("hellaswag", 10_042, "choice"),
    Task("winogrande", 1_267, "choice"),
    Task("arc_challenge", 1_172, "choice"),
    Task("gsm8k", 1_319, "answer"),
    Task("mbpp_0shot", 500, "answer"),
    Task("humaneval", 164, "answer"),
    Task("truthfulqa_mc2", 817, "mass"),
    Task("xlsum_en", 2_307, "text"),
)
"""Those of right or wrong first, of them those with a gold log-probability first."""
BINARY = tuple(task for task in TASKS if task.binary)
GOLD = tuple(task for task in TASKS if task.kind == "choice")
DOCUMENTS = sum(task.documents for task in TASKS)
CLUSTERED = "hellaswag"
SOURCES = (1, 2, 3, 4, 5)
"""Documents of HellaSwag that share a source, in turn: their perturbations are independent all the same."""

TESTED = (*BINARY, *(task for task in TASKS if not task.binary))
"""The order of tests of accuracy."""
TESTS = {"accuracy": len(TASKS) * CELLS, "gold": len(GOLD) * CELLS, "speed": CELLS, "release": len(TASKS) * CELLS}
"""Family → tests a night over the whole plan."""

DISCORDANCES = (0.02, 0.04, 0.10)
SPEED_NOISES = (0.01, 0.03)
HEAVY_SHARE = 0.08
"""Of the nights of a GPU."""
HEAVY_SCALE = 2.0
"""Times the usual perturbation on a heavy night, and the usual noise of a trial."""
MARGIN_SD = 2.0
"""Nats: how far the right answer lies from the best wrong one, over documents; around 0, so half of them are right."""
SPREAD = 0.6
"""Of the logarithm of a document's own perturbation: some documents shake much more than others."""
TEXTS_CHANGED = 5
"""Times as many texts change as right answers do."""
OVERLAP_SCALE = 0.05
"""Of the Laplace distribution by which the overlap of a text that changed moves."""

PAIRS = 40
"""Trials of either side a night, taken in turn."""
PAIR_COUNTS = (20, 30, 40)
"""Those that slow-downs are shown for, PAIRS last."""
AUTOCORRELATION = 0.6
DRIFT = 0.02
"""The most that speed moves in the course of one night's trials, in either direction."""
HEAVY_SLOWDOWN = 0.05
"""Mean of the exponential by which a heavy night is slower, canary and candidate alike."""
HEAVY_FREEDOM = 3
"""Degrees of Student's t that the noise of a heavy night has."""
OUTLIERS = 0.02
"""Share of single trials that are slower by 5 to 50 %."""
SLOWDOWN = 0.05
LOSS = 0.01
BARS = {"false alarms": 0.01, "loss": 0.8, "slow-down": 0.95}
"""What the page promises: alarms a night at most, by the upper end; a loss found the first night; a slow-down within two."""
BAR_DISCORDANCE = 0.04
