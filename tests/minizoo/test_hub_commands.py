"""What a user sees of the hub: refused at once without it, our words alone while a model comes, Ctrl-C that is gone on from."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.fake_hub import FakeHub, Repository
from support.paths import ROOT
from support.tiny_checkpoints import tiny

CARD = "mistral-nemo-minitron-8b"
HUB_ID, COMMIT = "nvidia/Mistral-NeMo-Minitron-8B-Base", "44f72c16f509673811cd6e7530145fbddaae74be"
CUT = ("prune", CARD, "drop=2-3")
FOREIGN = ("it/s", "B/s]", "%|", "Fetching", "huggingface_hub", "Retrying", "unauthenticated", "Traceback", "Warning:")
"""What only the hub's client says."""


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A tiny model of the card's class, by name → bytes."""
    folder = tiny("mistral", tmp_path_factory.mktemp("hub") / "card", hidden_size=96, intermediate_size=96)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def hub(weights):
    with FakeHub(repositories=[Repository(HUB_ID, dict(weights), commit=COMMIT)]) as hub:
        yield hub


@pytest.fixture
def start(tmp_path):
    """Start `minizoo …` with a hub and a cache of the test's own."""

    def call(endpoint: str, *words: str, **more: str) -> subprocess.Popen[str]:
        mine = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
        return subprocess.Popen(
            [sys.executable, "-m", "minizoo", *words],
            env={**os.environ, **mine, "MINIZOO_PROGRESS_SECONDS": "0.2", "OMP_NUM_THREADS": "1", **more},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return call


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate(timeout=120)
    said = out + err
    assert [word for word in FOREIGN if word in said] == []
    return process.returncode, said


@pytest.fixture
def dead():
    """The address of a port at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture
def silent():
    """The address of a port that takes connections and never says a word, nor lets more in."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(held.getsockname())
        yield f"http://127.0.0.1:{held.getsockname()[1]}"
        for one in waiting:
            one.close()


@pytest.mark.parametrize("endpoint", ["dead", "silent"])
@pytest.mark.parametrize(
    "words",
    [("eval", "--model", CARD), ("bench", CARD), ("prune", CARD, "drop=2-3", "--out", "x"), ("eval", "--model", "o/n")],
    ids=["eval", "bench", "prune", "eval of an id"],
)
def test_without_the_hub_a_model_of_its_is_refused_before_an_engine_is_imported(
    minizoo, monkeypatch, tmp_path, request, endpoint, words
):
    from huggingface_hub import constants

    from zoo.checkpoint.hub import reachable

    monkeypatch.setattr(constants, "ENDPOINT", request.getfixturevalue(endpoint))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for engine in ("backends.contract", "harness.accuracy.prepare", "zoo.prune.run"):
        monkeypatch.setitem(sys.modules, engine, None)
    reachable.ask_again()
    ran = minizoo(*words)
    reachable.ask_again()
    assert ran.code == 4
    assert ran.err.count("\n") == 1
    assert "the hub cannot be reached" in ran.err


def test_a_task_whose_data_cannot_come_says_why_the_hub_is_not_there(start, dead, tmp_path):
    code, said = ended(start(dead, "eval", "nano-teacher", "--tasks", "piqa", "--limit", "2", "--device", "cpu"))
    assert code == 4
    assert "Task piqa needs the data set baber/piqa" in said
    assert "the hub cannot be reached (" in said
    assert "not to be asked" not in said


def test_without_the_hub_the_whole_command_is_over_in_seconds(start, silent):
    began = time.monotonic()
    code, said = ended(start(silent, "eval", "--model", CARD))
    assert (code, "the hub cannot be reached" in said) == (4, True)
    assert time.monotonic() - began < 15  # two on a quiet machine; the client's own retries take twenty-five


def test_ctrl_c_while_weights_come_keeps_them_and_the_same_command_goes_on(hub, start, tmp_path: Path):
    model = hub.find("models", HUB_ID)
    model.pause = 0.3
    out = ("--out", str(tmp_path / "child"))
    process = start(hub.endpoint, *CUT, *out)
    part = tmp_path / "home/hub" / f"models--{HUB_ID.replace('/', '--')}" / "blobs"
    wait_until(lambda: any(path.stat().st_size for path in part.glob("*.incomplete")), process)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    code, said = ended(process)
    assert code == 130
    assert time.monotonic() - began < 15
    assert said.strip().splitlines()[-1].startswith("minizoo: Interrupted.")
    (kept,) = [path.stat().st_size for path in part.glob("*.incomplete")]
    assert 0 < kept < len(model.files["model.safetensors"])
    assert not (tmp_path / "child").exists()
    model.pause = 0.0
    code, said = ended(start(hub.endpoint, *CUT, *out))
    assert (code, (tmp_path / "child/config.json").is_file()) == (0, True)
    assert hub.ranges == [f"bytes={kept}-"]


def test_a_model_that_comes_slowly_limited_and_broken_says_so_in_our_words_alone(hub, start, tmp_path: Path):
    model = hub.find("models", HUB_ID)
    model.busy, model.retry_after = 1, "0"
    model.pause, model.drop_after, model.drops = 0.2, 250_000, 1
    code, said = ended(start(hub.endpoint, *CUT, "--out", str(tmp_path / "child")))
    assert code == 0
    assert "The hub limits how often it is asked: going on in" in said
    assert f"fetching {HUB_ID}: " in said
    assert " kB of 818 kB, " in said
    assert "contradicts the registry's entry: " in said


def test_a_gated_model_ends_a_command_with_one_paragraph_and_no_weight(hub, start, tmp_path: Path):
    hub.find("models", HUB_ID).gated = "manual"
    code, said = ended(start(hub.endpoint, *CUT, "--out", str(tmp_path / "child")))
    assert code == 2
    assert said.startswith(f"minizoo: {HUB_ID} is gated on the hub, and this machine is not logged in")
    assert (said.count("\n"), hub.asked) == (1, [])


def wait_until(holds, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 60
    while not holds():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)
