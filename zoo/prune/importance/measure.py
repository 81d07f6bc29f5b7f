"""Importance of heads, neurons, hidden channels and layers by forward passes alone, one layer in memory at a time.

All calibration rows pass through one layer before the next is read, so a 12B parent is scored on a machine that cannot
hold it. Candidates without a block of layers share the whole model's states up to the block and run beside it after the
block, so the perplexity of all candidates still reads every layer once. After each layer the pass can be resumed.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from zoo.errors import WeightsNotFinite
from zoo.files import write_atomically
from zoo.prune.calibration import Calibration
from zoo.prune.importance.activation_hooks import ActivationHooks
from zoo.prune.importance.aggregate import Aggregation, Neurons
from zoo.prune.importance.states import States
from zoo.prune.importance.streamed import StreamedModel, nll
from zoo.prune.parent import Parent
from zoo.prune.progress import ProgressCallback
from zoo.prune.scores import Scores, load_scores, save_scores

BATCH_TOKENS = 4096


@dataclass(frozen=True)
class ImportanceSettings:
    """What is measured. `blocks` are lengths of blocks of layers (1: single layers): the Block Influence of every block of
    these lengths is measured, and with `perplexity` the perplexity of the model without it."""

    aggregation: Aggregation = field(default_factory=Aggregation)
    neurons: Neurons = "post"
    blocks: tuple[int, ...] = (1,)
    perplexity: bool = False

    @property
    def described(self) -> str:
        """In words, for plans and cards."""
        how = f"batch {self.aggregation.batch}, sequence {self.aggregation.sequence}"
        return f"{how}, neurons {self.neurons}-activation"


@dataclass(frozen=True)
class _Block:
    """A run of removed layers: `first` … `first + length − 1`."""

    first: int
    length: int

    @property
    def after(self) -> int:
        return self.first + self.length


def measure(
    parent: Parent,
    calibration: Calibration,
    settings: ImportanceSettings,
    work: Path,
    progress: ProgressCallback | None = None,
    device: str = "cpu",
    batch_tokens: int = BATCH_TOKENS,
) -> Scores:
    """Score every axis of `parent` on the calibration rows; `work` holds the states and what is done so far.

    The same call resumes after the last finished layer. The caller removes `work` once the scores are written.
    Raises InvalidOption for rows that are longer than the model's context, WeightsNotFinite for activations that are NaN or
    infinite.
    """
    return _Pass(parent, calibration, settings, work, device, batch_tokens).run(progress)


class _Pass:
    def __init__(
        self,
        parent: Parent,
        calibration: Calibration,
        settings: ImportanceSettings,
        work: Path,
        device: str,
        batch_tokens: int,
    ) -> None:
        self.model = StreamedModel(parent, device)
        self.model.check_length(calibration.tokens.shape[1])
        self.parent, self.calibration, self.settings, self.work = parent, calibration, settings, work
        self.tokens = torch.from_numpy(calibration.tokens)
        self.batch = max(1, batch_tokens // self.tokens.shape[1])
        self.arrays: dict[str, list[NDArray[np.float64]]] = {}
        self.done = 0
        layers = parent.dims.num_layers
        self.blocks = [_Block(f, n) for n in settings.blocks for f in range(layers - n + 1)]
        self.removed = self.blocks if settings.perplexity else []

    @torch.inference_mode()
    def run(self, progress: ProgressCallback | None) -> Scores:
        layers = self.parent.dims.num_layers
        self._start()
        for layer in range(self.done, layers):
            self._through_layer(layer)
            self.done = layer + 1
            self._save_progress()
            if progress:
                progress("scoring layers", self.done, layers)
        arrays = {name: np.stack(rows) for name, rows in self.arrays.items() if "." not in name}
        arrays |= {name: np.concatenate(rows) for name, rows in self.arrays.items() if "." in name}
        return Scores(arrays | self._perplexity_drops(), self._provenance())

    def _through_layer(self, index: int) -> None:
        layer = self.model.layer(index)
        whole = self._whole(index)
        with ActivationHooks(layer, self.parent.dims, self.settings.aggregation, self.settings.neurons) as hooks:
            self._whole(index + 1).write(self.model.through(layer, x) for _, x in whole.batches(self.batch))
        for block in self.removed:
            if block.after <= index:
                before, after = self._without(block, index), self._without(block, index + 1)
                after.write(self.model.through(layer, x) for _, x in before.batches(self.batch))
        for name, values in hooks.scores().items():
            if not np.isfinite(values).all():
                raise WeightsNotFinite(
                    f"Layer {index} of {self.parent.folder} puts out values that are not finite.",
                    "A weight is NaN or infinite: fetch or train the checkpoint again.",
                )
            self.arrays.setdefault(name, []).append(values)
        for length in self.settings.blocks:
            if length <= index + 1:
                influence = self._block_influence(_Block(index + 1 - length, length))
                self.arrays.setdefault(f"bi.{length}", []).append(np.array([influence]))

    def _block_influence(self, block: _Block) -> float:
        """1 − mean cosine between the states before and after the block, over all tokens (arXiv 2403.03853, eq. 1)."""
        total = 0.0
        after = self._whole(block.after)
        for first, x in self._whole(block.first).batches(self.batch):
            total += float(torch.cosine_similarity(x, after.read(first, len(x)), dim=-1).double().sum())
        return 1 - total / self.tokens.numel()

    def _perplexity_drops(self) -> dict[str, NDArray[np.float64]]:
        """`ppl.N`: perplexity without the block less the whole model's, for every start."""
        if not self.removed:
            return {}
        layers = self.parent.dims.num_layers
        norm, table = self.model.head()
        whole = self._perplexity(norm, table, self._whole(layers))
        drops: dict[str, list[float]] = {}
        for block in self.removed:
            without = self._perplexity(norm, table, self._without(block, layers))
            drops.setdefault(f"ppl.{block.length}", []).append(without - whole)
        return {name: np.array(values) for name, values in drops.items()}

    def _perplexity(self, norm: torch.nn.Module, table: torch.Tensor, states: States) -> float:
        total = sum(
            nll(norm, table, x.to(table.device), self.tokens[first : first + len(x)])
            for first, x in states.batches(self.batch)
        )
        return math.exp(min(total / (self.tokens.numel() - len(self.tokens)), 700.0))

    def _whole(self, layer: int) -> States:
        """States before `layer` of the whole model."""
        return self._states(f"whole-{layer}")

    def _without(self, block: _Block, layer: int) -> States:
        """States before `layer` of the model without the block; at the block's end they are those at its beginning."""
        if layer == block.after:
            return self._whole(block.first)
        return self._states(f"without-{block.first}-{block.length}-{layer}")

    def _states(self, name: str) -> States:
        rows, length = self.tokens.shape
        return States(self.work / f"{name}.states", rows, length, self.parent.dims.hidden_size)

    def _start(self) -> None:
        """Resume from the progress of the same measurement, else begin with the embeddings."""
        progress = self.work / "progress.safetensors"
        if progress.is_file():
            found = load_scores(progress)
            if found.provenance.get("key") == self._key():
                self.done = int(found.provenance["done"])
                self.arrays = {
                    name: list(values) if "." not in name else [np.array([v]) for v in values]
                    for name, values in found.arrays.items()
                }
                return
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        rows = range(0, len(self.tokens), self.batch)
        self._whole(0).write(self.model.embed(self.tokens[i : i + self.batch]) for i in rows)

    def _save_progress(self) -> None:
        """Make the finished layer durable, then drop the states that no later layer reads."""
        arrays = {n: np.stack(rows) if "." not in n else np.concatenate(rows) for n, rows in self.arrays.items()}
        save_scores(self.work / "progress.safetensors", Scores(arrays, {"key": self._key(), "done": self.done}))
        needed = set(self._still_needed())
        for path in self.work.glob("*.states"):
            if path not in needed:
                path.unlink()

    def _still_needed(self) -> Iterator[Path]:
        reach = max(self.settings.blocks, default=1)
        for layer in range(max(0, self.done - reach), self.done + 1):
            yield self._whole(layer).path
        for block in self.removed:
            if block.after <= self.done:
                yield self._without(block, self.done).path

    def _key(self) -> str:
        """Identifies a measurement: parent, rows, settings, device."""
        key = json.dumps([self._provenance(), self.model.device], sort_keys=True)
        return hashlib.sha256(key.encode()).hexdigest()

    def _provenance(self) -> dict[str, object]:
        return {
            "parent": self.parent.name,
            "parent_digest": self.parent.digest,
            "calibration": self.calibration.name,
            "calibration_digest": self.calibration.digest,
            "calibration_shape": list(self.tokens.shape),
            "settings": {**asdict(self.settings), "describe": self.settings.described},
            "torch": torch.__version__,
        }


def block_costs(
    layers: int, length: int, base: float, score: Callable[[Sequence[int]], float], work: Path, key: str = ""
) -> NDArray[np.float64]:
    """`task.N` [layers − N + 1]: how much a downstream score falls without each block of N = `length` layers.

    From arXiv 2408.11796 §"Depth".
    `score` takes the kept layers and returns the task's value (higher is better), `base` is the whole model's. Each
    value is kept in `work` under `key` (what `score` measures) as it comes, so an interrupted search is resumed.
    """
    kept_file = work / f"task-{length}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"
    found: dict[str, float] = json.loads(kept_file.read_text()) if kept_file.is_file() else {}
    for first in range(layers - length + 1):
        if str(first) not in found:
            found[str(first)] = score([i for i in range(layers) if not first <= i < first + length])
            write_atomically(kept_file, json.dumps(found).encode())
    return base - np.array([found[str(first)] for first in range(layers - length + 1)])
