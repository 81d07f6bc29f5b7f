"""`minizoo bench` on a fake backend that fails in every way a real one can, and on words that make no sense."""

import json

import pytest
import torch
from support.speed_fakes import QUICK, FakeProbe, Hand, records_of

import harness.speed.loading as loading
from harness.nvml import DeviceGone


def test_out_of_memory_in_a_sweep_is_recorded_and_ends_it(bench, fake):
    backend = fake(room_limit=8)
    ran = bench("--workload", "offline", "--json", *QUICK)
    assert ran.code == 0
    found = {task: record["status"] for task, record in records_of(ran).items()}
    assert found == {**{f"offline.128x128.b{b}": "ok" for b in (1, 2, 4, 8)}, "offline.128x128.b16": "failed"}
    failed = records_of(ran)["offline.128x128.b16"]
    assert (failed["code"], failed["reason"]) == ("device-memory", "out of memory: tried to allocate slots for 16")
    assert [reason["code"] for reason in failed["speed"]["validity"]["reasons"]] == ["device-memory"]
    assert backend.closed


def test_out_of_memory_at_one_batch_leaves_the_others(bench, fake):
    fake(room_limit=8)
    ran = bench("--batch", "16,2,4", "--json", *QUICK)
    assert ran.code == 4
    assert [r["status"] for r in records_of(ran).values()] == ["failed", "ok", "ok"]


def test_a_sweep_of_two_shapes_goes_on_with_the_second(bench, fake, tmp_path):
    backend = fake(room_limit=2)
    file = tmp_path / "two.yaml"
    file.write_text("name: two\nshapes: [{input: 8, output: 4}, {input: 4, output: 4}]\nbatches: sweep\n", "utf-8")
    assert bench("--workload", file, *QUICK).code == 0
    assert backend.rooms == [1, 2, 4, 1, 2, 4]


@pytest.mark.parametrize(("patience", "rooms"), [(2, [1, 2, 4, 8, 16]), (0, [1, 2, 4, 8, 16, 32, 64])])
def test_a_sweep_ends_when_larger_batches_have_brought_nothing(bench, fake, tmp_path, patience, rooms):
    backend = fake(prefill=0.0, step=lambda n: max(1.0, backend.rooms[-1] / 4), room_limit=32)  # saturates at batch 4
    file = tmp_path / "sweep.yaml"
    file.write_text(
        f"name: s\nshapes: [{{input: 8, output: 4}}]\nbatches: sweep\nrule: {{patience: {patience}}}\n", "utf-8"
    )
    bench("--workload", file, *QUICK)
    assert backend.rooms == rooms


def test_what_arithmetic_says_cannot_fit_is_not_tried(bench, fake, monkeypatch):
    backend = fake()
    monkeypatch.setattr("harness.speed.memory.available_bytes", lambda: 0)
    monkeypatch.setattr("harness.speed.memory.resident_bytes", lambda: 4_000_000)
    ran = bench("--batch", "1,64", "--json", *QUICK)
    assert [r["status"] for r in records_of(ran).values()] == ["ok", "failed"]
    assert backend.rooms == [1]


def statuses(results):
    files = [json.loads(path.read_text()) for path in sorted(results.glob("runs/*/*/*/record.json"))]
    return [(record["speed"]["point"], record["status"], record["code"]) for record in files]


def test_a_backend_that_breaks_keeps_what_was_measured_before(bench, fake, tmp_path):
    backend = fake(breaks=lambda call: call == 2)
    ran = bench("--batch", "1,2,4", "--json", *QUICK)
    assert (ran.code, ran.json()["code"]) == (4, "backend-broke")
    assert "on cpu, at 128x128.b2, broke off (RuntimeError: CUDA error: unspecified launch failure)" in ran.err
    assert statuses(tmp_path) == [("128x128.b1", "ok", None), ("128x128.b2", "infra_failed", "backend-broke")]
    assert backend.closed


def test_a_gpu_that_vanishes_between_points_is_an_environment_fault(bench, fake, tmp_path):
    class Vanishing(FakeProbe):
        asked = 0

        def facts(self):
            self.asked += 1
            if self.asked > 2:
                raise DeviceGone("GPU is lost")
            return {}

    fake(probe=Vanishing(Hand()))
    ran = bench("--batch", "1,2,4", "--json", *QUICK)
    assert (ran.code, ran.json()["code"]) == (4, "device-lost")
    assert statuses(tmp_path) == [("128x128.b1", "ok", None), ("128x128.b2", "infra_failed", "device-lost")]


def test_a_gpu_that_is_taken_is_told_at_loading(bench, monkeypatch):
    def refuse(*_):
        raise torch.AcceleratorError("CUDA error: all CUDA-capable devices are busy or unavailable")

    monkeypatch.setattr(loading, "open_backend", refuse)
    ran = bench("--json", *QUICK)
    assert (ran.code, ran.json()["code"]) == (4, "device-missing")
    assert "all CUDA-capable devices are busy" in ran.err


def test_an_output_that_falls_short_gives_exit_code_3(bench, fake):
    fake(tokens=100)
    ran = bench("--json", *QUICK)
    assert ran.code == 3
    (record,) = records_of(ran).values()
    assert [reason["code"] for reason in record["speed"]["validity"]["reasons"]] == ["output-short"]


WRONG = {
    "--batch=-1": "invalid-option",
    "--batch=0": "invalid-option",
    "--batch=65537": "invalid-option",
    "--batch=many": "usage",
    "--rate=-2": "invalid-option",
    "--rate=nan": "invalid-option",
    "--batch=2 --rate=2": "conflicting-options",
    "--trials=0": "invalid-option",
    "--seconds=-1": "invalid-option",
    "--requests=0 --rate=1": "invalid-option",
    "--seed=-1": "usage",
    "--workload=chatt": "unknown-name",
    "--workload=no/such.yaml": "file-missing",
    "--workload=generate": "workload-too-long",
    "--backend=hff": "unknown-name",
    "--device=gpu": "invalid-option",
    "--dtype=int8": "unsupported-dtype",
    "--model=nano-teacher": "conflicting-options",
    "--name=mine": "invalid-option",
}


@pytest.mark.parametrize("words", WRONG)
def test_what_makes_no_sense_is_refused_in_one_paragraph_and_nothing_is_recorded(bench, tmp_path, words):
    ran = bench(*words.split(), "--json")
    assert (ran.code, ran.json()["code"]) == (2, WRONG[words])
    assert ran.err.count("\n") == 1
    assert not list(tmp_path.glob("runs/*"))


def test_a_backend_that_cannot_stream_is_refused(bench, fake):
    backend = fake(stream=False)
    ran = bench("--json", *QUICK)
    assert (ran.code, ran.json()["code"]) == (2, "no-streaming")
    assert backend.closed


@pytest.mark.parametrize(("known", "drawn"), [(50, 50), (10**6, 768)])
def test_prompts_are_drawn_from_ids_that_tokenizer_and_embedding_both_have(bench, fake, monkeypatch, known, drawn):
    made, asked = fake(), []
    made.tokenizer = type("Words", (), {"bos_id": 0, "eos_id": 1, "vocab_size": known})()
    monkeypatch.setattr(loading, "dims_of_checkpoint", lambda _: None)
    whole = loading.SystemUnderTest
    monkeypatch.setattr(loading, "SystemUnderTest", lambda *words: asked.append(words[3]) or whole(*words))
    assert bench("--batch", "1", *QUICK).code == 0
    assert asked == [drawn]


@pytest.mark.parametrize("known", [0, 2])
def test_a_vocabulary_without_a_token_for_prompts_is_refused_in_words(bench, fake, known):
    made = fake()
    made.tokenizer = type("Words", (), {"bos_id": 0, "eos_id": 1, "vocab_size": known})()
    ran = bench("--batch", "1", "--json", *QUICK)
    assert (ran.code, ran.json()["code"]) == (2, "token-outside-vocabulary")
    assert f"its tokenizer has {known} ids" in ran.json()["what"]
    assert made.closed
