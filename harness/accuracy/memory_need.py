"""The memory that an evaluation takes at its peak, by the model's dimensions and the plan: an upper bound, part by part.

What is held when, on a device::

    loading      weights, and on a CPU their file where it is in another dtype
    opening      weights, the logits of packing's trial, one weight widened to fp32 where they are held in half precision
    scoring      weights, rows of every worker: activations, masks, keys and values of their paths; a block of logits
    generating   weights, keys and values of all slots and of two rows of prompts, a row's activations, logits of all slots

The peak is that of the largest phase. On a CPU this process (interpreter, libraries, the plan's own requests) comes on top.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from backends.contract import Options
from backends.memory import OURS, available_bytes, free_bytes, held_bytes, weight_bytes
from harness.accuracy.times.entry_work import Asked, asked_of
from harness.accuracy.times.pace import Amount
from harness.records.measured_work import Place
from zoo.arch.dims import Dense, Hybrid
from zoo.arch.held import config_dtype, known_dtype
from zoo.arch.parameters import BITS, GATED, Dtype, kv_bytes_per_token
from zoo.arch.weight_bytes import bytes_in
from zoo.checkpoint.locate import Outline
from zoo.checkpoint.model_ref import ModelRef
from zoo.registry.stored import ASSUMED, plain_dtype, quantization_of, stored_weights

Part = Literal["process", "weights", "file", "keys and values", "activations", "logits"]
Phase = Literal["loading", "opening", "scoring", "generating"]

ENGINE = 70 << 20
"""Bytes that transformers' code of a model class adds to a process that has torch and a plan; measured on Linux."""
CONTEXT = 600 << 20
"""Bytes that a CUDA context with its libraries takes of a device, roughly; not measured here."""
TRIAL_LOGITS = 3 * 4 * 39
"""Rows of fp32 logits that the trial of packing holds at a time: three copies, of four sequences."""
PACKED_CPU = {"LlamaForCausalLM", "MistralForCausalLM"}
"""Classes whose layers are computed by backends.packing.cpu_layer on a CPU: in fp32, with little beside the residual stream."""
NEVER_PACKED = {"Gemma2ForCausalLM"}
"""Of the classes with a closed form, what packing does not follow (docs/architectures.md)."""
DEVICES = ("cpu", "cuda")
FP32 = 4


@dataclass(frozen=True)
class Setting:
    """How a model would run."""

    device: str
    """`cpu` or `cuda`."""
    dtype: Dtype
    """What the weights are held in."""
    weight_bytes: int
    stored_bytes: int = 0
    """Of the files, where they are read into another dtype; 0 where they are mapped as they stand."""
    workers: int = 1
    """Rows that are computed at a time."""
    free: int | None = None
    """Bytes that the device has free before the model is loaded."""
    budget: int = 0
    """Tokens of a row; 0 for the backend's own."""
    eager: bool = False


@dataclass(frozen=True)
class MemoryNeed:
    """At most how much of one memory is taken at the peak, and how much is free; None is what cannot be told."""

    device: str
    parts: Mapping[Part, int] = field(default_factory=dict[Part, int])
    """What is held at the peak, in bytes."""
    phase: Phase | None = None
    free: int | None = None
    unknown: str | None = None
    """Why there is no total."""
    pinned: int = 0
    """Bytes at the peak without the file that weights are read from, which the system drops where memory is short."""
    slots: int | None = None
    """Sequences that decode together at most."""
    without: tuple[str, ...] = ()
    """Tasks whose requests cannot be told, and are left out."""
    rough: bool = False
    """Whether the lengths of requests are estimates: then it is no upper bound."""

    @property
    def total(self) -> int | None:
        """Bytes at the peak; None where not all parts are known."""
        return None if self.unknown else sum(self.parts.values())

    @property
    def fits(self) -> bool | None:
        """Whether it does; None where that cannot be told. Weights that are too large alone never fit."""
        pinned = self.pinned or sum(self.parts.values())
        if self.free is None or (self.unknown and pinned <= self.free):
            return None
        return pinned <= self.free


def memory_of(
    model: ModelRef,
    local: Outline | None,
    backend: str,
    options: Options,
    place: Place | None,
    amounts: Mapping[str, Amount],
    exact: bool,
) -> tuple[MemoryNeed, ...]:
    """What the device needs, and where a GPU computes what the host does. Without a `place` the device is not here. `exact`:
    the amounts are those of a plan."""
    device = place.device if place else options.device.split(":")[0]
    if device not in DEVICES:
        return (MemoryNeed(device, unknown=f"'{options.device}' is no device of the backends here"),)
    held, available = held_bytes(), available_bytes()
    host_free = available + held.anonymous if held and available is not None else None
    free = host_free if device == "cpu" else _free_on(options) if place else None
    stored = plain_dtype(model.entry) if model.entry else config_dtype(local.config) if local else None
    named = (place and place.dtype, options.dtype, stored)
    dtype = known_dtype(next((name for name in named if name in BITS), ASSUMED))
    weights = _weights(model, local, dtype)
    dims = model.entry.architecture if model.entry else local.closed_form if local else None
    process: dict[Part, int] = {"process": held.resident + ENGINE} if held else {}
    reason = _unknown(dims, backend) or ("the bytes of its weights are not known" if weights is None else None)
    if reason or weights is None or not isinstance(dims, Dense):
        return (MemoryNeed(device, {"weights": weights} if weights else {}, free=free, unknown=reason),)
    file = (local.weight_bytes if local else None) or weights * BITS[stored or dtype] // BITS[dtype]
    asked = asked_of(amounts)
    need = memory_need(
        dims,
        asked,
        Setting(
            device, dtype, weights, file if stored != dtype else 0, workers_of(device), free, options.token_budget,
            options.eager,
        ),
    )  # fmt: skip
    need = replace(need, without=asked.unknown, rough=not exact)
    if device == "cpu":
        own = sum(process.values())
        return (replace(need, parts={**process, **need.parts}, pinned=need.pinned + own),)
    return need, MemoryNeed("cpu", {**process, "weights": weights}, "loading", host_free)


def memory_need(dims: Dense, asked: Asked, setting: Setting) -> MemoryNeed:
    """What the device holds at its peak, this process left out."""
    engine = _Engine(dims, asked, setting)
    phases: dict[Phase, dict[Part, int]] = {"loading": engine.loading(), "opening": engine.opening()}
    if asked.score_tokens:
        phases["scoring"] = engine.scoring()
    if asked.generations:
        phases["generating"] = engine.generating()
    phase = max(phases, key=lambda name: sum(phases[name].values()))
    parts: dict[Part, int] = {"weights": setting.weight_bytes, **phases[phase]}
    if setting.device != "cpu":
        parts["process"] = CONTEXT
    held: dict[Part, int] = {part: count for part, count in parts.items() if count}
    pinned = max(sum(size for part, size in found.items() if part != "file") for found in phases.values())
    beside = sum(size for part, size in held.items() if part not in phases[phase])
    return MemoryNeed(setting.device, held, phase, setting.free, pinned=pinned + beside, slots=engine.slots)


def budget_of(options: Options, device: str) -> int:
    """Tokens of a row, or padded tokens of a batch."""
    from backends.hf.backend import TOKEN_BUDGET

    return options.token_budget or TOKEN_BUDGET[device]


def workers_of(device: str) -> int:
    """Rows that are computed at a time at most."""
    if device != "cpu":
        return 1
    import torch

    from backends.packing.worker_pool import MAX_WORKERS

    return min(torch.get_num_threads(), MAX_WORKERS)


def _unknown(dims: Dense | Hybrid | None, backend: str) -> str | None:
    """Why what a model takes beside its weights has no closed form; None where it has one."""
    if backend not in OURS:
        return f"the backend {backend} does not tell what it holds"
    if dims is None:
        return "its dimensions have no closed form here"
    return "what its Mamba layers hold while they compute has no closed form" if isinstance(dims, Hybrid) else None


def _weights(model: ModelRef, local: Outline | None, dtype: Dtype) -> int | None:
    if model.entry is None:
        return weight_bytes(local, dtype) if local else None
    if quantization_of(model.entry):
        stored = stored_weights(model.entry)
        return stored.total if stored else None
    return bytes_in(model.entry.architecture, dtype).total


def _free_on(options: Options) -> int | None:
    from backends.hf.loading import resolve_device

    return free_bytes(resolve_device(options.device))


class _Engine:
    """The arithmetic of the packed engine, or of padded batches where packing is not used; see docs/performance.md."""

    def __init__(self, dims: Dense, asked: Asked, setting: Setting) -> None:
        from backends.packing.generate import CPU_CACHE_BYTES, SLOTS

        self._dims, self._asked, self._setting = dims, asked, setting
        self._packed = not setting.eager and dims.hf_class not in NEVER_PACKED
        self._cpu_layers = self._packed and setting.device == "cpu" and dims.hf_class in PACKED_CPU
        self._width = FP32 if self._cpu_layers else BITS[setting.dtype] // 8
        self._half = BITS[setting.dtype] < 32
        self._kv = kv_bytes_per_token(dims, "float32") * self._width // FP32
        self._budget = setting.budget or budget_of(Options(), setting.device)
        room = CPU_CACHE_BYTES if setting.device == "cpu" else max(0, (setting.free or 0) - setting.weight_bytes) // 2
        most = min(SLOTS[setting.device], asked.generations)
        affordable = (
            room // max(1, asked.longest_generated * self._kv) if setting.free or setting.device == "cpu" else most
        )
        if not self._packed:  # a padded batch
            affordable = self._budget // max(1, asked.longest_generated)
        self.slots = max(1, min(most, affordable)) if asked.generations else None

    def loading(self) -> dict[Part, int]:
        return {"file": self._setting.stored_bytes} if self._setting.device == "cpu" else {}

    def opening(self) -> dict[Part, int]:
        """The trial of packing, and of what is padded where packing is not used."""
        return {"logits": TRIAL_LOGITS * FP32 * self._dims.vocab_size + self._wide_table()}

    def scoring(self) -> dict[Part, int]:
        asked, size = self._asked, self._setting
        tokens = min(self._budget, asked.score_tokens)
        if not self._packed:
            return self._padded(max(tokens, asked.longest_scored))
        workers = min(size.workers, -(-asked.score_tokens // self._budget))
        # Each worker holds the path that it was given and the one that it leaves; one more waits for a worker.
        kept = (2 * workers + 1) * asked.longest_scored * self._kv
        states = 2 * workers * tokens * self._dims.hidden_size * self._width
        row = self._row(tokens, asked.longest_scored)
        return {"keys and values": kept, "activations": workers * row + states, "logits": self._block_of_logits()}

    def generating(self) -> dict[Part, int]:
        asked, slots = self._asked, self.slots or 1
        tokens = min(self._budget, asked.prompt_tokens)
        cache = slots * asked.longest_generated * self._kv
        # Of every sequence, in the weights' precision, in fp32, and once more while a token is chosen.
        logits = 3 * slots * self._dims.vocab_size * FP32
        if not self._packed:
            batch = slots * asked.longest_generated
            activations = batch * self._activations() + slots * asked.longest_generated * self._width
            return {"keys and values": 2 * cache, "activations": activations, "logits": logits}
        prompts = 2 * (tokens + asked.longest_generated) * self._kv
        activations = self._row(tokens, asked.longest_generated)
        return {"keys and values": cache + prompts, "activations": activations, "logits": logits}

    def _row(self, tokens: int, longest: int) -> int:
        """A row while it goes through a layer: its tokens, its masks, the layer's keys and values with those of the path."""
        from backends.packing.attention import FOLDED
        from backends.packing.attention_plan import QUERY_BLOCK

        device, dims = self._setting.device, self._dims
        groups = dims.num_attention_heads // dims.num_kv_heads if FOLDED[device] else 1
        masks = 2 * groups * tokens * (longest + QUERY_BLOCK[device]) * self._width
        here = 4 * dims.num_kv_heads * dims.head_dim * (tokens + longest) * self._width
        wide = dims.hidden_size * dims.ffn_hidden_size * FP32 if self._half and self._cpu_layers else 0
        return tokens * self._activations() + masks + here + wide

    def _activations(self) -> int:
        """Bytes of one token inside a layer."""
        dims = self._dims
        heads, keys = dims.num_attention_heads * dims.head_dim, dims.num_kv_heads * dims.head_dim
        gate = 2 if dims.activation in GATED else 1
        if self._cpu_layers:
            return FP32 * (3 * dims.hidden_size + max(gate * dims.ffn_hidden_size, 3 * heads + 3 * keys))
        return self._width * (6 * dims.hidden_size + (gate + 1) * dims.ffn_hidden_size + 4 * heads + 4 * keys)

    def _block_of_logits(self) -> int:
        from backends.packing.logprobs import BUDGET

        return BUDGET[self._setting.device] + (self._wide_table() if self._setting.device == "cpu" else 0)

    def _wide_table(self) -> int:
        """The head's weight widened to fp32, where it is held in half precision."""
        return FP32 * self._dims.vocab_size * self._dims.hidden_size if self._half else 0

    def _padded(self, tokens: int) -> dict[Part, int]:
        """A padded batch through the model as it is: logits of every token, and of a row in fp32 twice."""
        rows = tokens * self._width + 2 * FP32 * min(tokens, self._asked.longest_scored)
        activations = tokens * self._activations() + tokens * self._asked.longest_scored * self._width
        return {"activations": activations, "logits": rows * self._dims.vocab_size}
