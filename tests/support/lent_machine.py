"""A machine that is lent for some minutes, in one process: gpu_rows' steps are `minizoo` over backends of known times."""

import contextlib
import io
import json
from pathlib import Path
from typing import NamedTuple

import backends.random.config as random_config
import harness.speed.loading as loading
from benchmarks import gpu_rows
from benchmarks.rows.card import Card
from benchmarks.rows.process import Finished
from harness.bundles.unpack import read_bundle
from harness.records.beside_record import Agreement, BesideFacts
from harness.records.files import new_run_id, write_record
from minizoo.cli import run as minizoo
from support.records import record
from support.speed_fakes import FakeBackend, FakeProbe, Hand
from zoo.checkpoint.context_length import ContextLength
from zoo.checkpoint.locate import Checkpoint

CARD = Card(device="cpu", product="A card of the tests", memory=64 * 10**9, free=60 * 10**9, torch="2.13.0")
SHORT = ("--trials", "6", "--seconds", "0")
ALONE = ("--models", "nano-teacher", "--workloads")
"""And a workload: a step for each of its batches."""
FIRST, SECOND = "two.b1.nano-teacher", "two.b2.nano-teacher"
"""The steps of the workload `two_batches`, as the state calls them."""


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


class Called(NamedTuple):
    """What a call of gpu_rows left."""

    code: int
    out: str
    err: str
    steps: list[list[str]]
    """The words of its steps' commands, from the program's name on."""

    @property
    def batches(self):
        return [int(value(words, "--batch")) for words in self.steps]


class LentMachine:
    """Runs gpu_rows; a test says what its card is, how fast a model is there, and what happens instead of a step."""

    def __init__(self, monkeypatch, capsys, folder):
        self.capsys, self.results = capsys, folder / "rows"
        self.card, self.hand = CARD, Hand()
        self.probe = FakeProbe(self.hand)
        self.backend = lambda name: FakeBackend(self.hand, prefill=0.1, step=0.01)
        self.instead = lambda words: None
        """What the words of a step lead to; None: `minizoo` itself."""
        self._steps = []
        monkeypatch.setattr(random_config, "random_checkpoint", _checkpoint)
        monkeypatch.setattr(loading, "_random", lambda request, checkpoint: self.backend(checkpoint.name))
        monkeypatch.setattr(loading, "Clock", lambda: self.hand.clock)
        monkeypatch.setattr(loading, "open_probe", lambda device: self.probe)
        monkeypatch.setattr("harness.speed.probes.busy.busiest_processes", list)

    def __call__(self, *words, device="cpu"):
        self._steps = []
        self.capsys.readouterr()
        argv = ["--results", str(self.results), "--device", device, *SHORT, *map(str, words)]
        code = gpu_rows.main(argv, self._run, lambda: self.hand.at)
        shown = self.capsys.readouterr()
        return Called(code, shown.out, shown.err, self._steps)

    @property
    def bundle(self):
        (path,) = self.results.glob("*.zip")
        return read_bundle(path)

    @property
    def rows(self):
        """(model, task) of each row of the bundle, in order."""
        return sorted((one.record.subject.id, one.record.task) for one in self.bundle.records)

    @property
    def outcomes(self):
        """Step → how each of its attempts ended."""
        state = json.loads((self.results / "gpu_rows.json").read_text())
        return {key: [one["outcome"] for one in attempts] for key, attempts in state["attempts"].items()}

    def step(self, words):
        """A step as it is."""
        with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
            code = minizoo(words[1:])
        return Finished(code, out.getvalue(), err.getvalue())

    def scored(self, words, tasks, status="ok"):
        """A scoring step: a record of each task, and what the process prints of them."""
        run_id = new_run_id()
        for task in tasks:
            write_record(self.results, scoring_record(value(words, "--model"), task, run_id, status))
        document = {"run_id": run_id, "records": [], "ended": None, "not_begun": [], "skipped": []}
        return Finished(0 if status == "ok" else 4, json.dumps(document))

    def _run(self, command):
        words = list(command[command.index("-m") + 1 :])
        if words[0] == "benchmarks.rows.card":
            return self.card if isinstance(self.card, Finished) else Finished(0, self.card.model_dump_json())
        self._steps.append(words)
        done = self.instead(words)
        return self.step(words) if done is None else done


def scoring_record(model, task, run_id, status="ok"):
    """A record of scoring eight times as fast as another engine; of a failure without facts."""
    subject = record().subject.model_copy(update={"id": model, "source": "random", "kind": "registry"})
    facts = BesideFacts(
        reference="lm-eval HFLM, batch 1", weights="random", tokenizer="the model's own", shots=0, documents=5, of=50,
        requests=20, seconds=1.0, reference_seconds=8.0, agreement=Agreement(flips=0, largest=1e-5),
    )  # fmt: skip
    return record(
        f"scoring.{task}", run_id, suite="scoring", status=status, subject=subject, scores=(), counts=None,
        beside=facts if status == "ok" else None, code=None if status == "ok" else "backend-broke",
    )  # fmt: skip


def only_at(batch, end):
    """What `end` makes of the words of the step at that batch; others are run."""
    return lambda words: end(words) if value(words, "--batch") == str(batch) else None


def kill(*_):
    """The end of the call, whatever it is at."""
    raise Killed


def failed(code, exit_code=4):
    """A process that ended with an error of minizoo's."""
    told = {"code": code, "what": "It went wrong.", "hint": "Mend it.", "exit_code": exit_code}
    return Finished(exit_code, json.dumps({"schema": "minizoo.error/1", **told}), "minizoo: It went wrong. Mend it.\n")


def value(words, option):
    """What follows an option of a command."""
    return words[words.index(option) + 1]


def _checkpoint(ref):
    """As `random_checkpoint` gives one, without asking transformers for a configuration."""
    made = Checkpoint(ref, Path(ref.id), {})
    made.__dict__["context"] = ContextLength(ref.entry.architecture.max_context or 32_768)
    return made
