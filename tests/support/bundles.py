"""Rows as another machine measures them, bundles of them, and bundles that somebody altered, sealed anew or not."""

import hashlib
import json
from datetime import UTC, datetime

from harness.bundles.archive import packed
from harness.bundles.manifest import MANIFEST, digest_of
from harness.bundles.pack import pack
from harness.records.beside_record import Agreement, BesideFacts
from harness.records.files import new_run_id, write_record
from harness.records.record import Setting, Subject
from harness.records.speed_record import SpeedComparison
from harness.speed.bench import measure_points
from harness.speed.recorder import SpeedRecorder
from support.records import record
from support.speed_fakes import FakeProbe, Hand, fake_system, measured, workload

A100 = "NVIDIA A100-SXM4-80GB"
HOST, USER, HOME = "gpu-box7.lab.example.org", "alice", "/home/alice"
COMMAND = f"minizoo bench minitron-8b --results {HOME}/results --workload '{HOME}/my loads/fake.yaml'"
MADE = datetime(2026, 11, 30, 8, 15, tzinfo=UTC)
SUBJECT = Subject(
    id="minitron-8b", source="random", revision=None, weights_digest="random, seed 0", tokenizer_digest="", entry=None,
    kind="registry",
)  # fmt: skip
SETTING = Setting(
    backend="hf", device="cpu", dtype="bfloat16", gpu=None, driver=None, host=HOST,
    platform="Linux 6.8.0-1017-aws x86_64, Python 3.12.3", versions={"torch": "2.13.0"}, git_sha=None, seed=0,
    command=COMMAND, processor="AMD EPYC 7763 64-Core Processor, 16 threads",
)  # fmt: skip
ON_A100 = SETTING.model_copy(update={"device": "cuda:0", "gpu": A100, "driver": "580.65.06"})


def recorder(results, setting=SETTING, shape=(8, 5), batches=(1,)):
    return SpeedRecorder(results, workload(shape, batches=batches), SUBJECT, setting)


def speed_run(results, setting=SETTING, batches=(1,), run_id=None, **engine):
    """A run of a point a batch on an engine of known timings; its id."""
    hand = Hand()
    about = {"product": A100, "capability": "8.0"} if setting.gpu else {"product": "AMD EPYC 7763", "processors": 16}
    probe = FakeProbe(hand, about=about, now={"clock_events": 0})
    system = fake_system(hand, probe, device=setting.device, **engine)
    writer = recorder(results, setting, batches=batches)
    writer.run_id = run_id or writer.run_id
    measure_points(system, writer.workload, writer)
    return writer.run_id


def compared_runs(results, ratio=1.0):
    """Two runs, the first with its ratio over the second; their ids."""
    ours, theirs = recorder(results), recorder(results)
    theirs.measured(measured(fake_system()))
    outcome = measured(fake_system())
    told = SpeedComparison(
        against="minitron-4b", against_run_id=theirs.run_id, mode="equal batch", batch=1, against_batch=1,
        memory_budget=None, metric="output_rate", ratio=ratio, n=len(outcome.values["output_rate"]),
        against_n=len(outcome.values["output_rate"]), seed=0, valid=True,
    )  # fmt: skip
    ours.measured(outcome, (told,))
    return ours.run_id, theirs.run_id


def scoring_row(results, **changes):
    """A part of a task scored beside lm-eval; its run."""
    facts = BesideFacts(
        reference="lm-eval HFLM, batch 1", weights="random", tokenizer="its own", shots=10, documents=120, of=10042,
        requests=480, seconds=12.5, reference_seconds=50.0, agreement=Agreement(flips=0, largest=0.03),
        checked_documents=20, from_fp32=Agreement(flips=0, largest=0.02),
        reference_from_fp32=Agreement(flips=1, largest=0.03), conforms=True,
    ).model_copy(update=changes)  # fmt: skip
    made = record(
        "scoring.hellaswag", suite="scoring", subject=SUBJECT, setting=SETTING, scores=(), counts=None, beside=facts
    )
    write_record(results, made)
    return made.run_id


def evaluation(results, **changes):
    """A record that no bundle holds."""
    made = record(run_id=new_run_id(), **changes)
    write_record(results, made)
    return made.run_id


def bundle_of(results, runs, out, by="Ada Lovelace", **words):
    return pack(results, runs, out, by, "python benchmarks/gpu_rows.py --minutes 10", made_at=MADE, **words)


def members(path):
    """What is in a bundle, by name."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(path, change, seal=False):
    """The bundle with `change` done to its files, in place; `seal`: with every digest made anew, as a forger does it."""
    files = members(path)
    change(files)
    if seal:
        manifest = json.loads(files[MANIFEST])
        manifest["files"] = [
            {"path": name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
            for name, content in files.items()
            if name != MANIFEST
        ]
        manifest["digest"] = digest_of(manifest)
        files[MANIFEST] = (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()
    path.write_bytes(packed(files))
    return path


def in_manifest(**changes):
    """A change of the manifest's fields."""

    def change(files):
        files[MANIFEST] = (
            json.dumps(json.loads(files[MANIFEST]) | changes, indent=1, ensure_ascii=False) + "\n"
        ).encode()

    return change


def in_record(of="", /, **changes):
    """A change of every record with `of` in its name, by dotted name (`speed__seconds`); a function is given the old value."""

    def change(files):
        for name in [name for name in files if name.endswith("record.json") and of in name]:
            document = json.loads(files[name])
            for dotted, value in changes.items():
                *above, last = [int(part) if part.isdigit() else part for part in dotted.split("__")]
                at = document
                for part in above:
                    at = at[part]
                at[last] = value(at[last]) if callable(value) else value
            files[name] = json.dumps(document).encode()

    return change


def first_of(files, end):
    return next(name for name in sorted(files) if name.endswith(end))


def one_byte(end):
    """A change of one byte in the middle of the first file of that name."""

    def change(files):
        name = first_of(files, end)
        content = bytearray(files[name])
        content[len(content) // 2] ^= 1
        files[name] = bytes(content)

    return change


def added(name, content=b"{}"):
    return lambda files: files.update({name: content})


def renamed(old, new):
    """Another name for the first file whose name ends so."""

    def change(files):
        name = first_of(files, old)
        files[name.replace(old, new)] = files.pop(name)

    return change


def in_text(old, new):
    """The manifest's text with one part exchanged."""
    return lambda files: files.update({MANIFEST: files[MANIFEST].replace(old, new, 1)})
