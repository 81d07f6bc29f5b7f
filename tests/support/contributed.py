"""Records as another's machine leaves them: measured by the fake backend, on a GPU that it only says it has."""

import pyarrow as pa

from harness.bundles.plausible import doubts
from harness.metrics.speed_metrics import trial_schema
from harness.records.beside_record import Agreement, BesideFacts
from harness.records.record import Contribution, Setting, Subject
from support.records import record
from support.speed_fakes import FakeProbe, Hand, fake_system, measured
from zoo.registry.loader import load_registry

H100 = {"product": "NVIDIA H100 80GB HBM3", "capability": "9.0"}
QUIET = {"clock_events": 0, "other_processes": 0}
SETTING = {
    "backend": "hf", "device": "cuda:0", "dtype": "bfloat16", "gpu": H100["product"], "driver": "570", "host": "withheld",
    "platform": "Linux", "versions": {"torch": "2"}, "git_sha": None, "seed": 0, "command": "minizoo bench",
}  # fmt: skip
SOMEBODY = Contribution(by="Ada", file="rows.zip", sha256="0" * 64)
GIVEN = {"source": "contributed", "contribution": SOMEBODY}


def subject(model="llama-3.1-8b", **changes):
    """A registry model with drawn weights."""
    fields = {
        "id": model,
        "source": "random",
        "revision": None,
        "weights_digest": "random, seed 0",
        "entry": {"id": model},
    }
    return Subject(**{**fields, "tokenizer_digest": "", "kind": "registry", **changes})


def setting(**changes):
    return Setting(**{**SETTING, **changes})


def outcome_on_gpu(step=0.005, prefill=0.02, model="llama-3.1-8b", about=H100, hand=None, device="cuda:0", **words):
    """A point measured at 128 tokens in and out, a decode step and a prefill in so many seconds."""
    hand = hand or Hand()
    probe = FakeProbe(hand, about=dict(about), now=dict(QUIET))
    dims = load_registry().models[model].architecture
    system = fake_system(hand, probe, dims, device=device, step=step, prefill=prefill)
    return measured(system, **{"shape": (128, 128), **words})


def speed_record(outcome, model="llama-3.1-8b", **changes):
    """The record of that point."""
    speed = outcome.facts
    fields = {"suite": speed.workload, "scores": (), "counts": None, "shots": None, "speed": speed}
    fields |= {"subject": subject(model), "setting": setting()}
    return record(f"{speed.workload}.{speed.point}", **{**fields, **changes})


def trials_of(outcome):
    """Its trials.parquet, as a table."""
    return pa.Table.from_pylist(outcome.rows, schema=trial_schema())


def beside(**changes):
    """A part of a task, scored beside another engine; give what should differ."""
    fields = {
        "reference": "lm-eval HFLM, batch 1", "weights": "random", "tokenizer": "the model's own", "shots": 0, "documents": 5,
        "of": 20, "requests": 20, "seconds": 1.0, "reference_seconds": 4.0, "agreement": Agreement(flips=1, largest=0.01),
        "checked_documents": 4, "from_fp32": Agreement(flips=0, largest=0.02),
        "reference_from_fp32": Agreement(flips=1, largest=0.03), "conforms": True,
    }  # fmt: skip
    return BesideFacts(**{**fields, **changes})


def scoring_record(task="scoring.hellaswag", facts=None, **changes):
    """The record of such a part."""
    fields = {"suite": "scoring", "scores": (), "shots": 0, "subject": subject(), "setting": setting()}
    return record(task, **{**fields, "beside": facts or beside(), **changes})


def changed(outcome, **changes):
    """The record of the point, with other facts than were measured."""
    return speed_record(outcome, speed=outcome.facts.model_copy(update=changes))


def codes(record, trials):
    """Why it is doubted, by code."""
    return [reason.code for reason in doubts(record, trials)]


def told(record, trials):
    """Why it is doubted, in words."""
    return " | ".join(reason.text for reason in doubts(record, trials))
