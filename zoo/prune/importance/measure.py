"""Importance of heads, neurons, hidden channels and layers by forward passes alone, one layer in memory at a time.

All calibration rows pass through one layer before the next is read, so a 12B parent is scored on a machine that cannot
hold it. Candidates without a block of layers share the whole model's states up to the block and run beside it after the
block, so the perplexity of all candidates still reads every layer once. After each layer, and after each candidate's
perplexity, the pass can be resumed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.errors import WeightsNotFinite
from zoo.prune.calibration import Calibration
from zoo.prune.importance.activation_hooks import ActivationHooks, LayerSums, RowValues
from zoo.prune.importance.blocks import Block, passes, whole, without
from zoo.prune.importance.cost import MeasurementCost, layer_flops, measurement_cost
from zoo.prune.importance.crew import Crew
from zoo.prune.importance.devices import DTYPES, check_room
from zoo.prune.importance.settings import Computing, ImportanceSettings
from zoo.prune.importance.streamed import StreamedModel, nll
from zoo.prune.importance.work import Work
from zoo.prune.parent import Parent
from zoo.prune.progress import ProgressCallback
from zoo.prune.scores import Scores

Estimated = Callable[[MeasurementCost, float], None]
"""Is told what is left to do and the devices' rate in FLOP/s, as one batch through the first layer took."""


def measure(
    parent: Parent,
    calibration: Calibration,
    settings: ImportanceSettings,
    work: Path,
    progress: ProgressCallback | None = None,
    computing: Computing | None = None,
    estimated: Estimated | None = None,
) -> Scores:
    """Score every axis of `parent` on the calibration rows; `work` holds the states and what is done so far.

    The same call resumes after the last finished layer, or after the last perplexity. The caller removes `work` once the
    scores are written. Raises InvalidOption for rows that are longer than the model's context, DeviceMemory where a layer
    and a row do not fit, DiskFull where the states would not, WeightsNotFinite for activations that are NaN or infinite.
    """
    computing = computing or Computing()
    with Crew(computing.devices) as crew:
        return _Pass(parent, calibration, settings, Work(work), crew, computing).run(progress, estimated)


class _Pass:
    def __init__(
        self,
        parent: Parent,
        calibration: Calibration,
        settings: ImportanceSettings,
        work: Work,
        crew: Crew,
        computing: Computing,
    ) -> None:
        dtype = DTYPES[computing.dtype]
        self.model = StreamedModel(parent, computing.devices, dtype)
        self.tokens = torch.from_numpy(calibration.tokens)
        length = self.tokens.shape[1]
        self.model.check_length(length)
        self.parent, self.settings, self.work, self.crew = parent, settings, work, crew
        self.batch = max(1, computing.batch_tokens // length)
        self.layers = parent.dims.num_layers
        check_room(parent, computing.devices, dtype, length, head=settings.perplexity)
        work.open(parent, calibration, settings, computing)
        self.removed = work.removed
        work.check_space(self._cost(0))

    @torch.inference_mode()
    def run(self, progress: ProgressCallback | None, estimated: Estimated | None) -> Scores:
        rows, done = len(self.tokens), self.work.done
        if not done:
            batches = range(0, rows, self.batch)
            self.work.states(whole(0)).write(self.model.embed(self.tokens[i : i + self.batch]) for i in batches)
        total = rows * sum(1 for layer in range(self.layers) for _ in passes(layer, self.removed))
        gone = rows * sum(1 for layer in range(done) for _ in passes(layer, self.removed))

        def advance(count: int) -> None:
            nonlocal gone
            gone += count
            if progress:
                progress("rows through layers", gone, total)

        for layer in range(done, self.layers):
            modules = self.model.layer(layer)
            if layer == done and estimated:
                estimated(self._cost(done), self._rate(modules, layer))
            self._through_layer(layer, modules, advance)
            self.work.finish_layer(layer)
        drops = self._perplexity_drops(progress)
        self.work.drop_states()
        return Scores(self.work.stacked() | drops, self.work.provenance)

    def _through_layer(self, index: int, modules: list[torch.nn.Module], advance: Callable[[int], None]) -> None:
        sums = LayerSums(self.parent.dims)
        (before, after), *others = passes(index, self.removed)
        with ExitStack() as stack:
            how = self.settings.aggregation, self.settings.neurons
            hooks = [stack.enter_context(ActivationHooks(layer, self.parent.dims, *how)) for layer in modules]
            self.work.states(after).write(self._batches(before, modules, advance, hooks, sums))
        for before, after in others:
            self.work.states(after).write(self._batches(before, modules, advance))
        for name, values in sums.scores(self.settings.aggregation).items():
            if not np.isfinite(values).all():
                self.work.remove()
                raise WeightsNotFinite(
                    f"Layer {index} of {self.parent.folder} puts out values that are not finite.",
                    "A weight is NaN or infinite: fetch or train the checkpoint again.",
                )
            self.work.add(name, values)
        for length in self.settings.blocks:
            if length <= index + 1:
                influence = self._block_influence(Block(index + 1 - length, length))
                self.work.add(f"bi.{length}", np.array([influence]))

    def _batches(
        self,
        before: str,
        modules: list[torch.nn.Module],
        advance: Callable[[int], None],
        hooks: Sequence[ActivationHooks] = (),
        sums: LayerSums | None = None,
    ) -> Iterator[torch.Tensor]:
        """The rows of the states `before`, through the layer, in order; with `hooks` what they saw is added to `sums`."""

        def through(at: int, job: tuple[int, torch.Tensor]) -> list[tuple[torch.Tensor, RowValues]]:
            def once(some: slice) -> tuple[torch.Tensor, RowValues]:
                out = self.model.through(modules[at], job[1][some], at)
                return out, hooks[at].take() if hooks else {}

            return self.crew.pieces(at, once, len(job[1]))

        for pieces in self.crew.share(through, self.work.states(before).batches(self.batch)):
            if sums is not None:
                values = [seen for _, seen in pieces]
                sums.add({name: np.concatenate([seen[name] for seen in values]) for name in values[0]})
            yield from (out for out, _ in pieces)
            advance(sum(len(out) for out, _ in pieces))

    def _block_influence(self, block: Block) -> float:
        """1 − mean cosine between the states before and after the block, over all tokens (arXiv 2403.03853, eq. 1)."""
        total = 0.0
        after = self.work.states(whole(block.after))
        for first, x in self.work.states(whole(block.first)).batches(self.batch):
            total += float(torch.cosine_similarity(x, after.read(first, len(x)), dim=-1).double().sum())
        return 1 - total / self.tokens.numel()

    def _perplexity_drops(self, progress: ProgressCallback | None) -> dict[str, NDArray[np.float64]]:
        """`ppl.N`: perplexity without the block less the whole model's, for every start."""
        if not self.removed:
            return {}
        states = {"whole": whole(self.layers)} | {b.name: without(b, self.layers) for b in self.removed}
        heads = self.model.head() if any(name not in self.work.nll for name in states) else []
        for at, (name, where) in enumerate(states.items()):
            if progress:
                progress("perplexities of models without a block", at, len(states))
            if name not in self.work.nll:
                self.work.keep_nll(name, self._nll(heads, where))
        if progress:
            progress("perplexities of models without a block", len(states), len(states))
        predicted = self.tokens.numel() - len(self.tokens)
        found = {name: math.exp(min(total / predicted, 700.0)) for name, total in self.work.nll.items()}
        drops: dict[str, list[float]] = {}
        for block in self.removed:
            drops.setdefault(f"ppl.{block.length}", []).append(found[block.name] - found["whole"])
        return {name: np.array(values) for name, values in drops.items()}

    def _nll(self, heads: list[tuple[torch.nn.Module, torch.Tensor]], where: str) -> float:
        """Σ −log p over all rows, added up row by row."""

        def of_rows(at: int, job: tuple[int, torch.Tensor]) -> list[list[float]]:
            first, x = job
            ids = self.tokens[first : first + len(x)]
            return self.crew.pieces(at, lambda some: nll(*heads[at], x[some], ids[some]), len(x))

        shared = self.crew.share(of_rows, self.work.states(where).batches(self.batch))
        return math.fsum(value for pieces in shared for rows in pieces for value in rows)

    def _cost(self, done: int) -> MeasurementCost:
        rows, length = self.tokens.shape
        stored: Any = self.parent.tensors.values()
        width = sum(t.size for t in stored) / sum(math.prod(t.shape) for t in stored)
        lengths, perplexity = self.settings.blocks, self.settings.perplexity
        return measurement_cost(self.parent.dims, rows, length, lengths, perplexity, width=width, done=done)

    def _rate(self, modules: list[torch.nn.Module], layer: int) -> float:
        """FLOP/s of all devices together: one batch through this layer on the first one, the second time."""
        states = self.work.states(whole(layer)).read(0, min(self.batch, len(self.tokens)))
        taken = 0.0
        for _ in range(2):
            begun = time.perf_counter()
            self.crew.pieces(0, lambda some: self.model.through(modules[0], states[some]), len(states))
            taken = time.perf_counter() - begun
        return len(modules) * layer_flops(self.parent.dims, *states.shape[:2]) / taken
