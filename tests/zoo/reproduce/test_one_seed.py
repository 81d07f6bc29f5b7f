"""A seed from its teacher to its last arm: paired arms, a kill that loses one arm at most, a divergence written down."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from support.paths import ROOT

from zoo.reproduce.arms import ARMS, Arm, planned_tokens
from zoo.reproduce.measuring import held_out_losses
from zoo.reproduce.models import drawn, plan_of, shape_of
from zoo.reproduce.record import path_of, read_result
from zoo.reproduce.scale import NANO, SMOKE
from zoo.reproduce.seed import run_seed
from zoo.reproduce.text import SeedTexts, stream_of

FEW = (Arm("l2-mean", share=0), Arm("l2-mean"), Arm("l2-mean", "clm"), Arm("scratch", "clm", optimizer="muon"))
NAMES = ("teacher", "corrected", *(arm.name for arm in FEW))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seed")
    heard = []
    run_seed(1, SMOKE, folder, heard.append, FEW)
    assert tuple(heard) == NAMES
    return folder


def losses(folder, names=NAMES):
    return {name: read_result(folder, name, SMOKE.digest).losses for name in names}


def test_every_arm_leaves_what_it_lost_document_by_document(whole):
    for name in NAMES:
        found = read_result(whole, name, SMOKE.digest)
        assert found.tokens == planned_tokens(SMOKE)[name]
        for told in found.losses.values():
            assert len(told.nll) == len(told.tokens) == SMOKE.held_out
            assert 2 < told.mean < 8
    assert not (whole / "work").exists()


def test_arms_of_a_seed_are_measured_on_the_same_documents(whole):
    tokens = {told["own"].tokens for told in losses(whole).values()}
    assert len(tokens) == 1


def test_what_is_done_is_not_done_again_and_what_is_missing_comes_out_alike(whole, tmp_path):
    before = losses(whole)
    stamps = {name: path_of(whole, name).stat().st_mtime_ns for name in NAMES}
    path_of(whole, "l2-mean kl").unlink()
    heard = []
    run_seed(1, SMOKE, whole, heard.append, FEW)
    assert heard == ["l2-mean kl"]
    assert losses(whole) == before
    assert all(path_of(whole, name).stat().st_mtime_ns == stamps[name] for name in NAMES if name != "l2-mean kl")


def test_a_killed_seed_goes_on_to_the_same_losses(whole, tmp_path):
    words = [sys.executable, "-m", "zoo.reproduce", "1", str(tmp_path), "--scale", "smoke"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        while (line := process.stdout.readline().strip()) != "corrected":
            assert line, "it ended"
        time.sleep(0.05)  # somewhere in the next arm
        process.send_signal(signal.SIGKILL)
    assert read_result(tmp_path, "corrected", SMOKE.digest) is not None
    heard = []
    run_seed(1, SMOKE, tmp_path, heard.append, FEW)
    assert not {"teacher", "corrected"} & set(heard)
    same_threads = torch.get_num_threads() == 1
    for name, told in losses(whole).items():
        ours = losses(tmp_path)[name]
        for text in told:
            assert ours[text].nll == (told[text].nll if same_threads else pytest.approx(told[text].nll, rel=1e-3))


def test_a_training_that_diverges_is_written_down_and_so_is_what_needed_it(tmp_path):
    wild = replace(SMOKE, rates=replace(SMOKE.rates, muon_matrices=1e30, muon_others=1e30))
    run_seed(1, wild, tmp_path, arms=(Arm("l2-mean"), Arm("scratch", "clm")))
    told = {name: read_result(tmp_path, name, wild.digest) for name in ("teacher", "l2-mean kl", "scratch clm")}
    assert told["teacher"].diverged
    assert told["l2-mean kl"].diverged.startswith("Its teacher diverged")
    assert told["scratch clm"].diverged is None


def test_the_loss_is_the_plain_cross_entropy_of_each_document():
    model = drawn(SMOKE, 5).eval()
    documents = SeedTexts(3, SMOKE).held_out("own")
    told = held_out_losses(model, documents)
    for document, tokens, nll in zip(documents, told.tokens, told.nll, strict=True):
        ids = torch.tensor([document])
        with torch.no_grad():
            plain = model(input_ids=ids, labels=ids, use_cache=False).loss.item()
        assert tokens == len(document) - 1
        assert nll / tokens == pytest.approx(plain, rel=1e-4)


def test_seeds_and_purposes_draw_different_texts_and_a_shorter_arm_the_same_first_rows():
    one, other = SeedTexts(1, SMOKE), SeedTexts(2, SMOKE)
    assert one.held_out("own") != other.held_out("own")
    assert one.held_out("own") == SeedTexts(1, SMOKE).held_out("own")
    assert one.held_out("own") != one.held_out("shifted")
    assert len({rows.digest for rows in (one.teacher_rows, other.teacher_rows, one.student_rows("own"))}) == 3
    assert len({stream_of(seed, word) for seed in range(50) for word in ("students", "held out", "units")}) == 150
    rows, again = one.student_rows("own"), SeedTexts(1, SMOKE).student_rows("own")
    assert rows.digest == again.digest
    assert rows.step_rows(0, 8) == again.step_rows(0, 4) + again.step_rows(1, 4)


def test_arms_have_names_of_their_own_and_students_by_width_and_depth_are_of_one_size(tmp_path):
    assert len(planned_tokens(NANO)) == len(ARMS) + 2
    width, depth = (parameters(NANO, start, tmp_path) for start in ("l2-mean", "depth"))
    assert abs(width / depth - 1) < 0.01
    assert drawn(NANO, 0, child=True).num_parameters() == width


def parameters(scale, start, folder):
    from zoo.prune.parent import open_parent

    if not (folder / "teacher").exists():
        drawn(scale, 0).save_pretrained(folder / "teacher")
    return shape_of(scale, start, open_parent(folder / "teacher")).parameters


def test_units_at_random_are_another_choice_than_the_ranked_ones(whole):
    from zoo.prune.parent import open_parent

    parent = open_parent(whole / "teacher")
    (whole / "more").mkdir()
    calibration = SeedTexts(1, SMOKE).calibration(whole / "more")
    first, again, other = (
        plan_of(SMOKE, "random-units", parent, calibration, dice, whole / "more") for dice in (1, 1, 2)
    )
    assert first == again != other
