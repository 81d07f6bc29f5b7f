"""Speed from a results folder to the pages: points, ratios and scoring reach them through the store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from support.boards import empty, site
from support.records import record
from support.report_pages import Page

from harness.metrics.speed_metrics import trial_schema
from harness.records.beside_record import Agreement, BesideFacts
from harness.records.files import new_run_id, write_record
from harness.records.record import Contribution, Setting, Subject
from harness.records.speed_record import (
    Achieved,
    Memory,
    Reason,
    SpeedComparison,
    SpeedFacts,
    Statistic,
    Validity,
)
from harness.store.query import Reader
from reports.pages.speed import pages
from zoo.arch.roofline import decode_bytes, mean_context
from zoo.registry.loader import load_registry

WHEN = "2026-11-21 01:03"
"""Of every record here."""
A100 = "NVIDIA A100-SXM4-80GB"
OURS, THEIRS = new_run_id(), new_run_id()


def setting(gpu: str | None = A100, **changes: object) -> Setting:
    fields = {
        "backend": "hf", "device": "cuda:0" if gpu else "cpu", "dtype": "bfloat16", "gpu": gpu, "driver": "570.1",
        "host": "withheld", "platform": "Linux", "versions": {}, "git_sha": None, "seed": 0, "command": "minizoo bench",
        "processor": "AMD EPYC 7763",
    }  # fmt: skip
    return Setting(**{**fields, **changes})


def subject(name: str) -> Subject:
    known = {"kind": "registry", "entry": {}, "revision": None, "tokenizer_digest": "", "weights_digest": "random"}
    return Subject.model_validate({"id": name, "source": "random", **known})


def facts(**changes: object) -> SpeedFacts:
    fields = {
        "workload": "batch1", "point": "128x128.b1", "input_tokens": 128, "output_tokens": 128, "batch": 1,
        "weights": "random", "validity": Validity(valid=True), "machine": {"product": A100, "capability": "8.0"},
        "memory": Memory(allocator=9_000_000_000),
    }  # fmt: skip
    return SpeedFacts.model_validate({**fields, **changes})


def point_of(model: str, run_id: str, **changes: object):
    fields = {"subject": subject(model), "setting": setting(), "scores": (), "counts": None, "suite": "batch1"}
    return record("batch1.128x128.b1", run_id, **{**fields, **changes})


A100_BYTES_PER_S = 2.039e12
FORGED = Achieved(
    step="decode", against="data sheet", source="sheet", bytes_per_s=2e12, flops_per_s=None, bytes=10**9, flops=10**9,
    roofline_s=0.0079, measured_s=0.008, percent=98.7, bound_by="bandwidth",
)  # fmt: skip
COMPARED = SpeedComparison(
    against="minitron-8b", against_run_id=THEIRS, mode="equal batch", batch=1, against_batch=1, memory_budget=None,
    metric="output_rate", ratio=9.0, n=6, against_n=6, seed=0, valid=True,
)  # fmt: skip
BESIDE = BesideFacts(
    reference="lm-eval HFLM, batch 1", weights="random", tokenizer="gpt2", shots=10, documents=100, of=1000, requests=400,
    seconds=5.0, reference_seconds=20.0, agreement=Agreement(flips=1, largest=0.25), checked_documents=10,
    from_fp32=Agreement(flips=0, largest=0.1), reference_from_fp32=Agreement(flips=0, largest=0.2), conforms=True,
)  # fmt: skip


def trials(slower: float = 1) -> pa.Table:
    """Seven trials of five tokens, each later by 8 ms than the one before it, or so many times as late."""
    tokens = [slower * (0.04 + 0.008 * step) for step in range(5)]
    rows = [
        {"trial": trial, "phase": "trial", "cluster": 0, "request": 0, "input_tokens": 128, "wanted_tokens": 5,
         "submit_s": 1.0 * trial, "start_s": 1.0 * trial, "token_s": [trial + token for token in tokens]}
        for trial in range(7)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=trial_schema())


def filled(folder: Path) -> Path:
    """A results folder with something of each kind in it."""
    by_ada = {"source": "contributed", "contribution": Contribution(by="Ada", file="b.zip", sha256="0")}
    measured = facts(achieved=(FORGED,), comparisons=(COMPARED,))
    write_record(folder, point_of("minitron-4b", OURS, speed=measured, **by_ada), tables={"trials": trials()})
    write_record(
        folder, point_of("minitron-8b", THEIRS, speed=facts(), **by_ada), tables={"trials": trials(slower=1.5)}
    )
    reason = Reason(code="above-roofline", text="a decode step took 0.001 s, the roofline 0.005 s")
    broken = facts(validity=Validity(valid=False, reasons=(reason,)), statistics=(
        Statistic(metric="itl", statistic="mean", value=0.001, n=4),
    ))  # fmt: skip
    nobody = {"source": "contributed", "contribution": Contribution(by=None, file="b.zip", sha256="0")}
    write_record(folder, point_of("minitron-4b", new_run_id(), speed=broken, setting=setting("NVIDIA L4"), **nobody))
    lost = facts(validity=Validity(valid=False, reasons=(Reason(code="device-memory", text="out of memory"),)))
    write_record(folder, point_of("nano", new_run_id(), speed=lost, status="failed", reason="out of memory",
                                  setting=setting(None)))  # fmt: skip
    beside = record("scoring.hellaswag", new_run_id(), suite="scoring", scores=(), counts=None, beside=BESIDE, shots=10,
                    subject=subject("minitron-4b"), setting=setting(), **by_ada)  # fmt: skip
    write_record(folder, beside)
    unscored = {"status": "failed", "reason": "no data", "suite": "scoring", "scores": (), "counts": None}
    write_record(
        folder, record("scoring.piqa", new_run_id(), subject=subject("minitron-4b"), setting=setting(), **unscored)
    )
    return folder


def table(name: str, html: str) -> list[list[str]]:
    return Page(html[html.index(f'aria-label="{name}"') :].split("</table>")[0]).rows


def pages_over(results: Path) -> dict[str, str]:
    return dict(pages(site(empty(), results=results, reader=Reader(results))))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return pages_over(filled(tmp_path_factory.mktemp("results")))


def test_what_the_store_holds_of_speed_is_on_the_pages_of_its_hardware(made: dict[str, str]):
    page = made["speed/a100-80-sxm.html"]
    _, group, valid, parent = table("Table of speeds", page)
    assert (group, valid[0], parent[0]) == ([f"{A100}, compute capability 8.0"], "minitron-4b", "minitron-8b")
    assert valid[-1] == parent[-1] == f"contributed by Ada{WHEN}"
    assert valid[5].startswith("8.0000")
    assert valid[6].startswith("40.000")
    model = load_registry().models["minitron-4b"].architecture
    percent = 100 * decode_bytes(model, 1, mean_context(128, 128)) / A100_BYTES_PER_S / 0.008
    assert valid[8:11] == [f"{percent:.1f}bandwidth-bound", "9.00 GB", "valid"]


def test_a_contributed_rows_doubts_and_a_failure_stand_where_they_happened(made: dict[str, str]):
    doubted = table("Table of speeds", made["speed/l4.html"])[-1]
    assert doubted[5] == "1.0000mean of 4"
    assert doubted[10:] == [
        "invalida decode step took 0.001 s, the roofline 0.005 s", f"contributed, nobody named{WHEN}"
    ]  # fmt: skip
    (processor,) = [address for address in made if address.startswith("speed/amd-epyc-7763")]
    lost = table("Table of speeds", made[processor])[-1]
    assert (lost[0], lost[10], lost[11]) == ("nano", "failedout of memory", f"measured here{WHEN}")
    assert "No model was timed here yet" in made[processor]


def test_ratios_and_scoring_are_those_of_the_store(made: dict[str, str]):
    page = made["speed/a100-80-sxm.html"]
    (ratio,) = table("Table of speed ratios", page)[1:]
    assert (ratio[0], ratio[1], ratio[6], ratio[9]) == ("minitron-4b", "minitron-8b", "1.5000", "valid")
    assert ratio[-1] == f"contributed by Ada{WHEN}"
    task, failed = table("Table of scoring times", page)[1:]
    assert (failed[1], failed[7], failed[-1]) == ("piqa 5-shot", "failedno data", f"measured here{WHEN}")
    assert task[1:6] == ["hellaswag 10-shot", "100 of 1,000", "5.0000 s", "20.000 slm-eval HFLM, batch 1", "4.0000×"]
    assert task[7] == "conforms: 0 flips of 10, the reference 0"
    (suite,) = table("Table of scoring times of all tasks", page)[1:]
    assert suite[1:5] == ["1", "50.000 s", "200.00 slm-eval HFLM, batch 1", "4.0000×extrapolated"]
    assert not any("withheld" in html for html in made.values())


def test_a_failure_and_an_older_run_replace_no_good_point(tmp_path: Path):
    results = filled(tmp_path)
    old = point_of("minitron-4b", new_run_id(), speed=facts(batch=1), finished_at=datetime(2026, 1, 1, tzinfo=UTC),
                   source="contributed", contribution=Contribution(by="Ada", file="b.zip", sha256="0"))  # fmt: skip
    broken = facts(validity=Validity(valid=False, reasons=(Reason(code="device-memory", text="out of memory"),)))
    newer = point_of("minitron-4b", new_run_id(), speed=broken, finished_at=datetime(2026, 12, 1, tzinfo=UTC),
                     source="contributed", contribution=Contribution(by="Ada", file="b.zip", sha256="0"))  # fmt: skip
    for each in (old, newer):
        write_record(results, each)
    made = pages_over(results)["speed/a100-80-sxm.html"]
    rows = [row for row in table("Table of speeds", made) if row[0] == "minitron-4b"]
    assert [(row[5][:6], row[10]) for row in rows] == [("8.0000", "valid")]
