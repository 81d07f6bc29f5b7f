"""A bundle that a forger sealed anew, its digests right: what no bundle holds is refused, and nothing breaks anything."""

import contextlib
import io
import json
import shutil
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.bundles import first_of, in_manifest, in_record, rewritten

from harness.bundles import tables
from harness.bundles.manifest import MANIFEST
from harness.bundles.take import take
from harness.bundles.unpack import read_bundle
from harness.metrics.speed_metrics import trial_schema
from zoo.errors import InputError, InvalidBundle


def table(columns):
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def trials(content):
    """Other bytes in the place of every table of trials."""
    return lambda files: files.update({name: content for name in files if name.endswith("trials.parquet")})


def text(content):
    """Other bytes in the place of every record of speed."""
    return lambda files: files.update({name: content(files[name]) for name in files if name.endswith("b1/record.json")})


DEEP = b"[" * 60 + b"]" * 60
FORGED = {
    "a newer bundle": in_manifest(schema_version="minizoo.bundle/2"),
    "no schema": in_manifest(schema_version=None),
    "another schema": in_manifest(schema_version="zoo.bundle/1"),
    "an unknown field": in_manifest(more=1),
    "a name of two lines": in_manifest(by="Ada\nminizoo: all is well"),
    "a name that is none": in_manifest(by=7),
    "a name too long": in_manifest(by="x" * 81),
    "a name with a bell": in_manifest(by="\x07"),
    "a time without a zone": in_manifest(made_at="2026-11-30T08:15:00"),
    "a time that is none": in_manifest(made_at="yesterday"),
    "a newer record": in_record(schema_version="minizoo.record/99"),
    "no record": text(lambda _: b"{}"),
    "a list": text(lambda _: b"[]"),
    "no JSON": text(lambda _: b"\xff\xfe"),
    "deep JSON": text(lambda old: old.replace(b'"machine": {', b'"machine": {"a": ' + DEEP + b", ", 1)),
    "very deep JSON": text(lambda _: b"[" * 200_000),
    "not a number": text(lambda old: old.replace(b'"seconds": ', b'"seconds": NaN, "x": ', 1)),
    "a number beyond all": text(lambda old: old.replace(b'"load_s": 0.0', b'"load_s": 1e999', 1)),
    "half a pair": text(lambda old: old.replace(b'"machine": {', b'"machine": {"a": "\\ud800", ', 1)),
    "a key twice": text(lambda old: old.replace(b'"status": "ok"', b'"status": "failed", "status": "ok"', 1)),
    "an imported record": in_record(source="imported"),
    "a contributed record": in_record(source="contributed"),
    "a contribution of its own": in_record(contribution={"by": "x", "file": "x", "sha256": "x"}),
    "an evaluation": in_record("fake", speed=None),
    "both kinds": in_record("scoring", speed={"workload": "w", "point": "p", "validity": {"valid": True}}),
    "a score": in_record(
        scores=[{"metric": "acc", "filter": "none", "value": 1.0, "n": 1, "higher_is_better": True, "chance": None}]
    ),
    "a run that broke off": in_record(status="infra_failed"),
    "another run's id": in_record(run_id="01939fbb-0000-7000-8000-000000000000"),
    "another task's name": in_record(task="fake.8x5.b64"),
    "a time without a zone in a record": in_record(finished_at="2026-11-30T08:15:00"),
    "a time beyond any clock": in_record(finished_at="9999-12-31T23:59:59Z"),
    "a metric that there is not": in_record("fake", speed__statistics__0__metric="x'; DROP TABLE records; --"),
    "trials that are no Parquet": trials(b"PAR1 and no more PAR1"),
    "no trials' bytes": trials(b""),
    "other columns": trials(table({"trial": [1], "token_s": [[0.5]]})),
    "columns of other types": trials(table({name: ["x"] for name in trial_schema().names})),
    "a table beside scoring": lambda files: files.update(
        {first_of(files, "scoring.hellaswag/record.json").replace("record.json", "trials.parquet"): table({"a": [1]})}
    ),
    "a table without a record": lambda files: files.pop(first_of(files, "b1/record.json")),
    "no row": lambda files: [files.pop(name) for name in [*files] if name != MANIFEST],
    "a count beyond the database": in_record("fake", speed__memory__allocator=10**30),
    "a seed beyond the database": in_record(setting__seed=2**70),
    "a ratio with a run that is not in it": in_record(
        "fake",
        speed__comparisons=[
            {
                "against": "m", "against_run_id": "01939fbb-0000-7000-8000-000000000000", "mode": "equal batch", "batch": 1,
                "against_batch": 1, "memory_budget": None, "metric": "output_rate", "ratio": 1.0, "n": 9, "against_n": 9,
                "seed": 0, "valid": True,
            }
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", FORGED)
def test_what_no_bundle_holds_is_refused_though_its_digests_are_right(bundle, tmp_path, what):
    rewritten(bundle, FORGED[what], seal=True)
    with pytest.raises(InvalidBundle) as told:
        take([bundle], tmp_path / "results")
    assert bundle.name in told.value.what
    assert len(str(told.value)) < 900
    assert not (tmp_path / "results").exists()


def test_a_newer_bundle_and_a_newer_record_are_named_with_their_version(bundle):
    untouched = bundle.read_bytes()
    rewritten(bundle, in_manifest(schema_version="minizoo.bundle/2"), seal=True)
    with pytest.raises(InvalidBundle, match=r"minizoo\.bundle/2"):
        read_bundle(bundle)
    bundle.write_bytes(untouched)
    rewritten(bundle, in_record(schema_version="minizoo.record/99"), seal=True)
    with pytest.raises(InvalidBundle, match=r"minizoo\.record/99"):
        read_bundle(bundle)


@pytest.mark.parametrize(
    "run_id", ["01939fbb-0000-4000-8000-000000000000", "ffffffff-ffff-7000-8000-000000000000", "-" * 36, "x" * 36]
)
def test_an_id_that_no_run_has_is_refused(bundle, run_id):
    def change(files):
        in_record(run_id=run_id)(files)
        for name in [name for name in files if name != MANIFEST]:
            files[f"{run_id}/{name.partition('/')[2]}"] = files.pop(name)

    rewritten(bundle, change, seal=True)
    with pytest.raises(InvalidBundle):
        read_bundle(bundle)


def test_a_table_of_one_value_a_million_times_is_refused_unread(bundle, monkeypatch):
    monkeypatch.setattr(tables, "MOST_VALUES", 5)
    with pytest.raises(InvalidBundle, match="too many rows"):
        read_bundle(bundle)


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_nothing_in_a_sealed_record_breaks_anything(packed_once, data):
    """Any value in any place: refused in a sentence, or taken in with or without a doubt."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(shutil.copy(packed_once, Path(folder) / "bundle.zip"))
        rewritten(path, lambda files: anything(files, data), seal=True)
        with contextlib.suppress(InputError):
            take([path], Path(folder) / "results")


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(10**40), 10**40), st.floats(), st.text(max_size=20),
    st.sampled_from(["", "9" * 30, "cuda", "\x00", "0001-01-01T00:00:00Z", [], {}, [[]], {"a": [1]}]),
)  # fmt: skip


def anything(files, data):
    """One value of one record exchanged for any other."""
    name = data.draw(st.sampled_from(sorted(name for name in files if name.endswith("record.json"))))
    document = json.loads(files[name])
    at = document
    while True:
        key = data.draw(st.sampled_from(list(range(len(at))) if isinstance(at, list) else sorted(at)))
        if not (isinstance(at[key], dict | list) and at[key] and data.draw(st.booleans())):
            break
        at = at[key]
    at[key] = data.draw(VALUES)
    files[name] = json.dumps(document).encode()
