"""What a measurement is said to take is what it takes: FLOPs in closed form, and every byte of hidden states."""

import shutil

import numpy as np
import pytest

from zoo.arch.parameters import prefill_flops
from zoo.errors import DiskFull
from zoo.prune.calibration import Calibration
from zoo.prune.importance import work as work_module
from zoo.prune.importance.cost import measurement_cost
from zoo.prune.importance.measure import measure
from zoo.prune.importance.settings import ImportanceSettings
from zoo.prune.importance.states import States
from zoo.prune.parent import open_parent

ROWS = Calibration("rows", np.random.default_rng(3).integers(0, 96, (6, 19)))


def measured(parent, settings, folder, monkeypatch):
    """Bytes of states read, written, and at a time on the disk, of a real measurement."""
    read, written, at_once = [], [], []
    reading, writing, finish = States.read, States.write, work_module.Work.finish_layer

    def reads(self, first, count):
        found = reading(self, first, count)
        read.append(found.nbytes)
        return found

    def writes(self, batches):
        writing(self, batches)
        written.append(self.path.stat().st_size)

    def finishes(self, layer):
        at_once.append(sum(path.stat().st_size for path in self.folder.glob("*.states")))
        finish(self, layer)

    monkeypatch.setattr(States, "read", reads)
    monkeypatch.setattr(States, "write", writes)
    monkeypatch.setattr(work_module.Work, "finish_layer", finishes)
    measure(parent, ROWS, settings, folder)
    return sum(read), sum(written), max(at_once)


@pytest.mark.parametrize(("blocks", "perplexity"), [((1,), False), ((1, 2), False), ((1,), True), ((1, 3), True)])
def test_the_bytes_of_hidden_states_are_those_that_a_measurement_reads_writes_and_holds(
    blocks, perplexity, tiny_parent, tmp_path, monkeypatch
):
    parent = open_parent(tiny_parent("llama"))
    told = measurement_cost(parent.dims, 6, 19, blocks, perplexity)
    found = measured(parent, ImportanceSettings(blocks=blocks, perplexity=perplexity), tmp_path / "w", monkeypatch)
    assert found == (told.states_read, told.states_written, told.states_at_once)


def test_flops_are_those_of_the_forward_passes_and_of_the_head_where_perplexities_are_taken(tiny_parent):
    dims = open_parent(tiny_parent("llama")).dims
    head = 2 * dims.vocab_size * dims.hidden_size
    layer = (prefill_flops(dims, 19) - 19 * head) // 4
    assert measurement_cost(dims, 6, 19).flops == 6 * 4 * layer
    # four models without one layer run through 3, 2, 1 and 0 layers of their own, the whole one through 4
    assert measurement_cost(dims, 6, 19, (1,), True).flops == 6 * (10 * layer + 5 * 18 * head)


def test_states_that_would_not_fit_on_the_disk_are_refused_before_anything_is_measured(
    tiny_parent, tmp_path, minizoo, monkeypatch
):
    np.save(tmp_path / "ids.npy", ROWS.tokens)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    words = ["--calibration", tmp_path / "ids.npy", "--length", 19, "--scores-only", "--out", tmp_path / "s"]
    ran = minizoo("prune", tiny_parent("llama"), *words)
    assert (ran.code, "hidden states of 6 rows" in ran.err) == (4, True)
    assert [path.name for path in tmp_path.iterdir()] == ["ids.npy"]


def test_a_disk_that_fills_up_midway_keeps_what_is_done(tiny_parent, tmp_path, monkeypatch):
    parent, writes = open_parent(tiny_parent("llama")), []
    whole = work_module.States

    class Filling(whole):
        def write(self, batches):
            writes.append(self.path)
            if len(writes) == 4:
                batches = (block if at else full() for at, block in enumerate(batches))
            super().write(batches)

    def full():
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(work_module, "States", Filling)
    with pytest.raises(DiskFull, match="became full"):
        measure(parent, ROWS, ImportanceSettings(), tmp_path / "w")
    told = []
    measure(parent, ROWS, ImportanceSettings(), tmp_path / "w", lambda *words: told.append(words))
    assert told[0] == ("rows through layers", 18, 24)
