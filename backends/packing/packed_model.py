"""Rows of a prefix tree through a transformers model: what is computed of each token, and no more.

What is run is a copy that shares every weight with the original, which stays as it was. After the last layer's attention only
tokens whose probabilities are asked are computed; the head is called for the tokens of several rows at a time. On a CPU
several rows run at once.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from itertools import accumulate, chain
from typing import Any

import numpy as np
import torch
from typing_extensions import TypeVar

from backends.contract import OutOfMemory
from backends.packing.attention import NAME, RowPass, shortened, tree_attention, tree_mask
from backends.packing.cpu_layer import cpu_layer
from backends.packing.decode.choice import UNCOMPILED, Fast, Step, chosen
from backends.packing.decode.decode_pass import DecodePass
from backends.packing.forward_pass import Layer, Pass, Reach, Unsupported, running, running_pass
from backends.packing.head import OutputHead
from backends.packing.logprobs import BUDGET, target_logprobs
from backends.packing.prefix_tree import Row
from backends.packing.scheduler import Answers
from backends.packing.worker_pool import MAX_WORKERS, WorkerPool, single_worker, worker_threads

LAYER_TYPES = {"full_attention", "sliding_attention", "chunked_attention"}
LAYER_LISTS = ("layers", "h")
"""What a decoder calls its layers."""
LENGTH_DEPENDENT = {"dynamic", "longrope"}
"""Kinds of RoPE scaling whose angles depend on the longest sequence of a call."""
LEAST_LOGITS = 1 << 20
"""Bytes of logits below which less at a time would not help."""


P = TypeVar("P", bound=RowPass)


class PackedModel:
    """A causal language model of transformers, run a row of a tree at a time; a `RowEngine` whose path is keys and values.

    Raises Unsupported for a model that packing does not follow, as far as its configuration and modules show it;
    `trial.tried_model` finds the rest.
    """

    min_scored_per_head_call = 256

    def __init__(self, model: Any) -> None:
        _check_config(model)
        self.twin = _twin(model)
        self.head = OutputHead(self.twin)
        self.device = self.head.linear.weight.device
        self._decoder: Any = self.twin.get_decoder()
        in_fp32 = _use_cpu_layers(self._decoder)
        self.compute_dtype: torch.dtype = torch.float32 if in_fp32 else self.twin.dtype
        """What the layers multiply in; the head's logits are in fp32 for scores, in the weights' dtype for new tokens."""
        self._picks = in_fp32 or _trim_last_layer(self._decoder)
        self.num_layers = len(_layers(self._decoder))
        self._in_fp32 = in_fp32
        self.fast: Fast | None = None
        """The fast step, once `choose_decode` has chosen it; without it a step is a forward pass of the twin."""
        self._decodes = "torch"

    def choose_decode(self, wanted: str = "auto") -> None:
        """Choose how tokens are decoded, by one of `choice.WAYS`."""
        if self._in_fp32 or self.device.type == "cuda":
            self.fast, self._decodes = chosen(self._decoder, _layers(self._decoder), self.head.linear, wanted)

    @property
    def decodes(self) -> str:
        """The way of decoding, for the records."""
        failed = self.fast.failures if self.fast else []
        return f"{UNCOMPILED}: {failed[0]}" if failed else self._decodes

    def give_up_fast(self, reason: str) -> None:
        """Decode by forward passes of the twin from now on."""
        self.fast, self._decodes = None, f"torch, since {reason}"

    def step(self, cache: Sequence[Layer]) -> Step:
        """A step over this cache, `[slots, kv heads, length, head dim]`, which stays where it is."""
        if self.fast:
            return self.fast.step(cache)

        def forward(newest: Sequence[int], positions: Sequence[int]) -> torch.Tensor:
            places = torch.tensor(positions, device=self.device)
            tokens = torch.tensor(newest, device=self.device)
            return self.hidden(tokens[:, None], places[:, None], DecodePass(cache, places))

        return forward

    def workers(self, rows: int) -> AbstractContextManager[WorkerPool]:
        """See `RowEngine`. A GPU has one worker."""
        count = min(rows, torch.get_num_threads(), MAX_WORKERS) if self.device.type == "cpu" else 1
        return worker_threads(count) if count > 1 else single_worker()

    @torch.inference_mode()
    def run_row(self, row: Row, path: list[Layer] | None) -> tuple[torch.Tensor, list[Layer]]:
        """See `RowEngine`; the states are hidden states of the row's scored tokens, `[scored, width]`."""
        try:
            current = self.row_pass(row, path or [], RowPass)
            return self.row_hidden(row, current), current.kept
        except (torch.OutOfMemoryError, RuntimeError) as error:
            reason = out_of_memory(error)
        # Outside the handler the traceback, which holds the tensors, is gone.
        raise OutOfMemory(reason)

    def shortened(self, path: list[Layer] | None, length: int) -> list[Layer]:
        """See `RowEngine`."""
        return shortened(path or [], length)

    @torch.inference_mode()
    def answer(self, rows: Sequence[Row], states: Sequence[torch.Tensor]) -> list[Answers]:
        """See `RowEngine`. Where memory runs out, with fewer logits at a time."""
        starts = accumulate((len(row.scored) for row in rows), initial=0)
        asked = np.concatenate([row.asked + start for row, start in zip(rows, starts, strict=False)])
        targets = np.concatenate([row.targets for row in rows])
        questions = [torch.from_numpy(x).to(self.device) for x in (asked, targets)]
        found = self._logprobs(torch.cat(list(states)), *questions)
        cuts = np.cumsum([len(row.targets) for row in rows])[:-1]
        return [Answers(*parts) for parts in zip(*(np.split(x.cpu().numpy(), cuts) for x in found), strict=True)]

    def _logprobs(self, hidden: torch.Tensor, asked: torch.Tensor, targets: torch.Tensor) -> Any:
        budget = BUDGET[self.device.type]
        while True:
            try:
                return target_logprobs(hidden, self.head.linear, asked, targets, budget, self.head.finish)
            except (torch.OutOfMemoryError, RuntimeError) as error:
                reason = out_of_memory(error)
            budget //= 2
            if budget < LEAST_LOGITS:
                raise OutOfMemory(reason)

    def row_pass(self, row: Row, path: list[Layer], kind: type[P]) -> P:
        """The pass of a row over the kept keys and values of its path."""
        return kind(row, path, self.num_layers - 1, self.device)

    @cached_property
    def kept_bytes(self) -> list[int]:
        """Bytes of keys and values that one token leaves, for each time that attention is called."""
        zero = torch.zeros((1, 1), dtype=torch.long, device=self.device)
        watched = _KeptBytes()
        self.hidden(zero, zero, watched)
        return watched.kept

    def cache_bytes_per_token(self) -> int:
        """Bytes of keys and values that one token leaves in all layers."""
        return sum(self.kept_bytes)

    @torch.inference_mode()
    def hidden(self, tokens: torch.Tensor, positions: torch.Tensor, current: Pass) -> torch.Tensor:
        """Hidden states behind the final norm of the pass's picked tokens, `[picked, width]`; tokens are `[rows, columns]`."""
        # Without a mask of ones transformers takes positions that jump for sequences that do not see each other.
        ones = torch.ones_like(tokens)
        with running(current):
            out = self._decoder(input_ids=tokens, attention_mask=ones, position_ids=positions, use_cache=False)
        states = out.last_hidden_state.flatten(0, 1)
        return states if self._picks or current.picked is None else states[current.picked]

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """The model's logits at each of the hidden states, `[states, vocabulary]`: in fp32 where a CPU's fast step is
        chosen, else in the weights' precision.
        """
        return self.head.logits(hidden, self.fast.logits if self.fast else None)

    def row_hidden(self, row: Row, current: RowPass) -> torch.Tensor:
        """`hidden` of a row."""
        tokens = torch.from_numpy(row.tokens)[None].to(self.device)
        depths = torch.from_numpy(row.depths)[None].to(self.device)
        return self.hidden(tokens, depths, current)[: len(row.scored)]


class _KeptBytes:
    """A `Pass` of one token that notes what attention would keep, and attends to nothing."""

    picked = None
    trims = False
    size = 1

    def __init__(self) -> None:
        self.kept: list[int] = []

    def attend(self, layer: int, q: Any, k: Any, v: Any, scale: float | None, reach: Reach) -> torch.Tensor:
        """See `Pass`."""
        self.kept.append(k.nbytes + v.nbytes)
        return q.new_zeros(1, 1, q.shape[1], v.shape[3])


def out_of_memory(error: Exception) -> str:
    """What torch said where the device's, or the host's, memory ran out; any other error is raised."""
    if isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error):
        return str(error).splitlines()[0]
    raise error


def depends_on_length(model: Any) -> bool:
    """Whether the angles of its RoPE depend on the longest sequence of a call, which sharing and padding would change."""
    rope = getattr(model.config.get_text_config(), "rope_parameters", None) or {}
    scalings = {entry.get("rope_type") for entry in (rope, *rope.values()) if isinstance(entry, dict)}
    return bool(scalings & LENGTH_DEPENDENT)


def _check_config(model: Any) -> None:
    kinds = set(getattr(model.config.get_text_config(), "layer_types", None) or ()) - LAYER_TYPES
    if kinds:
        raise Unsupported(f"it has layers of kind {', '.join(sorted(map(str, kinds)))}")
    if depends_on_length(model):
        raise Unsupported("its RoPE scaling depends on the length of a call")


def _layers(decoder: Any) -> Any:
    """The decoder's list of layers; Unsupported where it is not found."""
    for name in LAYER_LISTS:
        if isinstance(layers := getattr(decoder, name, None), torch.nn.ModuleList):
            return layers
    raise Unsupported("its layers are not where packing looks for them")


def _twin(model: Any) -> Any:
    """A copy of the model with the same tensors and our attention."""
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface

    AttentionInterface.register(NAME, tree_attention)
    AttentionMaskInterface.register(NAME, tree_mask)
    shared = {id(tensor): tensor for tensor in chain(model.parameters(), model.buffers())}
    twin = copy.deepcopy(model, shared)
    twin.set_attn_implementation(NAME)
    if twin.config._attn_implementation != NAME:
        raise Unsupported("its attention is code of its own, not transformers' interface")
    return twin


def _use_cpu_layers(decoder: Any) -> bool:
    """Replace transformers' layers by `CpuLayer`s, which compute in fp32, where every layer has that form; whether it did."""
    whole = _layers(decoder)
    last = len(whole) - 1
    layers = [made for number, layer in enumerate(whole) if (made := cpu_layer(layer, number == last))]
    if len(layers) <= last:
        return False
    decoder.layers = torch.nn.ModuleList(layers)
    decoder.get_input_embeddings().register_forward_hook(lambda module, inputs, output: output.float())
    return True


def _trim_last_layer(decoder: Any) -> bool:
    """Let only picked tokens go through the last layer behind its attention, and through the final norm.

    Returns whether the norm picks: then what comes out holds the picked tokens alone. A decoder with other names is left as
    it is.
    """
    last = _layers(decoder)[-1]
    for module in (getattr(getattr(last, "self_attn", None), "o_proj", None), getattr(last, "mlp", None)):
        if module is not None:
            module.register_forward_pre_hook(_pick)
            module.register_forward_hook(_scatter)
    norm = getattr(decoder, "norm", None)
    if norm is not None:
        norm.register_forward_pre_hook(_pick)
    return norm is not None


def _pick(module: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    current = running_pass()
    return (inputs[0][:, current.picked], *inputs[1:]) if current.trims else inputs


def _scatter(module: Any, inputs: tuple[Any, ...], output: Any) -> Any:
    current = running_pass()
    if not current.trims:
        return output
    whole = output.new_zeros(1, current.size, output.shape[-1])
    whole[:, current.picked] = output
    return whole
