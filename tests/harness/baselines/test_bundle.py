"""A baseline's bundle: all that a comparison needs, nothing that tells of data or machine, and no change without a word."""

import hashlib
import json
import shutil

import pyarrow.parquet as pq
import pytest
from support.accepted import ANSWER, PASSAGE, accepted_run, outcome_rows
from support.bundles import HOST, USER, members, rewritten, speed_run

from harness.baselines.accept import accept
from harness.baselines.file import load_baselines
from harness.baselines.outcomes import OUTCOME_COLUMNS
from harness.baselines.read import read_outcomes
from harness.bundles.manifest import MANIFEST, digest_of
from harness.records.files import new_run_id, read_record, write_record
from zoo.errors import BaselineAltered, BaselineMissing, BaselineRefused, NewerResults


def the_bundle(accepted):
    return accepted.file.parent / accepted.baseline.bundle


def read_again(accepted):
    (baseline,) = load_baselines(accepted.file).values()
    return read_outcomes(baseline, accepted.file.parent)


def test_records_and_documents_are_read_back(accepted):
    found = read_again(accepted)
    assert [outcome.record.task for outcome in found] == ["arc_challenge", "winogrande"]
    for outcome in found:
        rows = outcome.documents.to_pylist()
        assert list(rows[0]) == list(OUTCOME_COLUMNS)
        kept = [name for name in OUTCOME_COLUMNS if name != "cluster"]
        assert [[row[name] for name in kept] for row in rows] == [
            [row[name] for name in kept] for row in outcome_rows()
        ]
        assert outcome.record.scores == next(r.scores for r, _ in accepted.run.records)
        assert outcome.trials is None


def test_it_holds_no_text_of_the_data_and_no_name_of_the_machine(accepted):
    for name, content in members(the_bundle(accepted)).items():
        if name.endswith(".parquet"):
            import pyarrow as pa

            content = json.dumps(pq.read_table(pa.BufferReader(content)).to_pylist()).encode()
        for word in (PASSAGE, ANSWER, HOST, "gpu-box7", USER, "/home/"):
            assert word.encode() not in content, (name, word)


def test_documents_that_share_a_cluster_still_do(accepted):
    (first, *others) = [row["cluster"] for row in read_again(accepted)[0].documents.to_pylist()]
    assert first
    assert set(others) == {first}


def test_the_same_run_gives_the_same_bytes(accepted, tmp_path):
    before = the_bundle(accepted).read_bytes()
    for file in ("other/baselines.yaml", "kept/baselines.yaml"):
        again = accept(tmp_path / "results", accepted.baseline.run, tmp_path / file, "Again.", "Grace", "teacher")
        assert the_bundle(again).read_bytes() == before
        assert again.baseline.sha256 == hashlib.sha256(before).hexdigest()
    assert again.removed is None


def test_right_answers_of_older_samples_are_told_from_their_responses(tmp_path):
    run_id = accepted_run(tmp_path / "results", ("winogrande",))
    (path,) = tmp_path.rglob("samples.parquet")
    rows = [
        row | {"target": "1", "responses": json.dumps([[[-3.0, False]], [[-2.0 - at, False]]]), "value": float(at < 1)}
        for at, row in enumerate(outcome_rows())
    ]
    old = pq.read_table(path)
    changed = old.from_pylist(rows, schema=old.schema).drop_columns(["gold", "gold_logprob", "cluster", "length"])
    pq.write_table(changed, path)
    made = accept(tmp_path / "results", run_id, tmp_path / "baselines.yaml", "Old.", "Ada", "old")
    (outcome,) = read_outcomes(made.baseline, tmp_path)
    told = [(row["gold"], row["gold_logprob"], row["length"]) for row in outcome.documents.to_pylist()]
    assert told == [(1, -2.0, None), (1, -3.0, None), (1, -4.0, None)]


def test_a_speed_comes_with_its_trials(tmp_path):
    made = accept(tmp_path, speed_run(tmp_path), tmp_path / "baselines.yaml", "Fast.", "Ada")
    (outcome,) = read_outcomes(made.baseline, tmp_path)
    (path,) = tmp_path.rglob("trials.parquet")
    assert outcome.trials.equals(pq.read_table(path))
    assert outcome.record.speed == read_record(path.with_name("record.json")).speed
    assert outcome.documents is None


def test_a_bundle_that_is_gone_is_named_with_what_to_do(accepted):
    the_bundle(accepted).unlink()
    with pytest.raises(BaselineMissing) as raised:
        read_again(accepted)
    assert str(the_bundle(accepted)) in raised.value.what
    assert "--name teacher" in raised.value.hint


@pytest.mark.parametrize("where", [0, 40, -30, "middle", "cut", "longer"])
def test_a_changed_byte_is_seen_before_anything_is_read(where, accepted):
    path = the_bundle(accepted)
    content = bytearray(path.read_bytes())
    if where in ("cut", "longer"):
        content = content[:-1] if where == "cut" else content + b"\0"
    else:
        content[len(content) // 2 if where == "middle" else where] ^= 1
    path.write_bytes(content)
    with pytest.raises(BaselineAltered, match="it has not the digest that was accepted") as raised:
        read_again(accepted)
    assert str(path) in raised.value.what


def in_place(change):
    """Files of the bundle changed, its manifest and the digest in the file made anew, as one who forges it does."""

    def altered(accepted, seal=True):
        path = the_bundle(accepted)
        rewritten(path, change, seal)
        content = path.read_bytes()
        accepted.file.write_text(
            accepted.file.read_text()
            .replace(accepted.baseline.sha256, hashlib.sha256(content).hexdigest())
            .replace(f"bytes: {accepted.baseline.bytes}", f"bytes: {len(content)}")
        )

    return altered


def set_to(name, content):
    return lambda files: files.__setitem__(name, content)


def in_manifest(sealed=True, **changes):
    def change(files):
        document = json.loads(files[MANIFEST]) | changes
        files[MANIFEST] = json.dumps(document | ({"digest": digest_of(document)} if sealed else {})).encode()

    return change


RECORD, OUTCOMES = "winogrande/record.json", "winogrande/outcomes.parquet"
WRONG = {
    "a torn record": (set_to(RECORD, b'{"run_id": '), True, RECORD, "is no record"),
    "a record of another shape": (
        set_to(RECORD, b'{"schema_version": "minizoo.record/2"}'),
        True,
        RECORD,
        "is no record",
    ),
    "no record": (lambda files: files.pop(RECORD), True, RECORD, "is missing"),
    "no table": (set_to(OUTCOMES, b"nothing"), True, OUTCOMES, "cannot be read as Parquet"),
    "a file more": (set_to("x/record.json", b"{}"), False, "x/record.json", "was added"),
    "a file less": (lambda files: files.pop(OUTCOMES), False, OUTCOMES, "is missing"),
    "a file that is another": (set_to(OUTCOMES, b"x"), False, OUTCOMES, "has not its digest"),
    "a manifest by hand": (in_manifest(sealed=False, minizoo="9"), False, MANIFEST, "has not its digest"),
    "no manifest": (set_to(MANIFEST, b"[]"), False, MANIFEST, "is no list of outcomes"),
    "another run's": (in_manifest(run="r9"), False, "run r9", "was accepted"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_what_is_wrong_inside_is_named(fault, accepted):
    change, seal, named, what = WRONG[fault]
    in_place(change)(accepted, seal)
    with pytest.raises(BaselineAltered) as raised:
        read_again(accepted)
    for words in (str(the_bundle(accepted)), named, what):
        assert words in raised.value.what
    assert "git" in raised.value.hint


def test_what_is_no_zip_is_named(accepted):
    path = the_bundle(accepted)
    path.write_bytes(b"no zip at all")
    baseline = accepted.baseline.model_copy(
        update={"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": len(b"no zip at all")}
    )
    with pytest.raises(BaselineAltered, match="cannot be read as a zip"):
        read_outcomes(baseline, accepted.file.parent)


def test_a_newer_minizoos_is_refused_by_its_version(accepted):
    in_place(in_manifest(schema_version="minizoo.outcomes/2"))(accepted, False)
    with pytest.raises(NewerResults, match=r"minizoo\.outcomes/2"):
        read_again(accepted)


def test_samples_that_cannot_be_read_are_no_baseline(tmp_path):
    run_id = accepted_run(tmp_path / "results", ("winogrande",))
    (path,) = tmp_path.rglob("samples.parquet")
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BaselineRefused, match=r"samples\.parquet cannot be read"):
        accept(tmp_path / "results", run_id, tmp_path / "baselines.yaml", "x", "Ada", "torn")
    assert not (tmp_path / "baselines.yaml").exists()
    assert not (tmp_path / "baselines").exists()


def test_a_user_called_as_a_metric_leaves_every_score_its_name(tmp_path, monkeypatch):
    import harness.baselines.bundle as packing
    from harness.bundles.private import Private

    names = Private(frozenset({"none"}), frozenset({"acc", "mean", "smoke"}))
    monkeypatch.setattr(packing, "this_machine", lambda: names)
    made = accept(tmp_path, accepted_run(tmp_path), tmp_path / "baselines.yaml", "x", "Ada", "teacher")
    for outcome in read_outcomes(made.baseline, tmp_path):
        (score,) = outcome.record.scores
        assert (score.metric, score.filter, score.statistics.kind) == ("acc", "none", "mean")
        assert outcome.record.resolved_suite["tasks"][0] == {"task": "winogrande", "metric": "acc", "filter": "none"}


def test_a_run_of_a_group_keeps_the_groups_record_beside_its_leaves(tmp_path):
    run_id = new_run_id()
    accepted_run(tmp_path, ("mmlu_law", "mmlu_physics"), run_id, resolved_suite={"tasks": [{"task": "mmlu"}]})
    (first, _) = sorted(tmp_path.rglob("record.json"))
    write_record(
        tmp_path, read_record(first).model_copy(update={"task": "mmlu", "members": ("mmlu_law", "mmlu_physics")})
    )
    made = accept(tmp_path, run_id, tmp_path / "baselines.yaml", "x", "Ada", "teacher")
    shutil.rmtree(tmp_path / "runs")
    tasks = {outcome.record.task: outcome.documents for outcome in read_outcomes(made.baseline, tmp_path)}
    assert tasks["mmlu"] is None
    assert tasks["mmlu_law"].num_rows == 3
