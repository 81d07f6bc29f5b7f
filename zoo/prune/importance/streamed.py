"""A parent that runs one layer at a time: each layer's weights are read, used and freed before the next is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from zoo.checkpoint.tensor_rows import read_rows
from zoo.checkpoint.torch_tensors import as_tensor
from zoo.errors import InvalidOption
from zoo.prune.parent import Parent


class StreamedModel:
    """transformers' own layers of a parent, one in memory at a time: read once, a copy on each device. Computes in `dtype`.

    States come and go in fp32; `at` is the number of a device.
    """

    def __init__(self, parent: Parent, devices: Sequence[str] = ("cpu",), dtype: torch.dtype = torch.float32) -> None:
        from transformers import AutoConfig

        self.parent = parent
        self.devices, self.dtype = tuple(devices), dtype
        self._config: Any = AutoConfig.from_pretrained(parent.folder, local_files_only=True, trust_remote_code=False)
        self._config._attn_implementation = "sdpa"
        self._parts = _parts(str(parent.config["model_type"]))
        self._rotary = [self._parts["rotary"](config=self._config).to(device) for device in self.devices]

    def check_length(self, length: int) -> None:
        """Raise InvalidOption for rows longer than the model's context or sliding window."""
        window = self._config.to_dict().get("sliding_window")
        longest = min(window or length, self.parent.dims.max_context or length)
        if length > longest:
            raise InvalidOption(
                f"Rows of {length} tokens are longer than the {longest} that the model sees.", "Use --length."
            )

    def embed(self, tokens: torch.Tensor) -> torch.Tensor:
        """[rows, length] ids → [rows, length, hidden]; only the rows of the table that occur are read."""
        stored = self.parent.tensors["model.embed_tokens.weight"]
        wanted = tokens.unique()
        table = torch.stack([as_tensor(read_rows(stored, int(token), 1)[0], stored.dtype) for token in wanted]).to(
            self.dtype
        )
        return table[torch.searchsorted(wanted, tokens)]

    def layer(self, index: int) -> list[torch.nn.Module]:
        """Layer `index` with its weights on every device, ready for `through`."""
        with torch.device("meta"):
            layers: list[torch.nn.Module] = [self._parts["layer"](self._config, index) for _ in self.devices]
        return self._filled(layers, f"model.layers.{index}.")

    def through(self, layer: torch.nn.Module, states: torch.Tensor, at: int = 0) -> torch.Tensor:
        """A causal pass of [rows, length, hidden] through one layer of device `at`; the outcome is on the CPU."""
        states = states.to(device=self.devices[at], dtype=self.dtype)
        positions = torch.arange(states.shape[1], device=states.device)[None]
        out = layer(
            states,
            attention_mask=None,
            position_ids=positions,
            position_embeddings=self._rotary[at](states, positions),
        )
        return (out[0] if isinstance(out, tuple) else out).float().cpu()

    def head(self) -> list[tuple[torch.nn.Module, torch.Tensor]]:
        """The final norm and the output matrix [vocabulary, hidden] of every device."""
        dims = self.parent.dims
        eps = self._config.norm_eps if dims.norm == "layernorm1p" else self._config.rms_norm_eps
        with torch.device("meta"):
            norms: list[torch.nn.Module] = [self._parts["norm"](dims.hidden_size, eps=eps) for _ in self.devices]
        table = self._tensor("model.embed_tokens.weight" if dims.tied_embeddings else "lm_head.weight")
        tables = [table.to(device) for device in self.devices]
        return list(zip(self._filled(norms, "model.norm."), tables, strict=True))

    def _filled(self, modules: list[torch.nn.Module], prefix: str) -> list[torch.nn.Module]:
        weights = {name: self._tensor(prefix + name) for name, _ in modules[0].named_parameters()}
        for module, device in zip(modules, self.devices, strict=True):
            module.load_state_dict({name: weight.to(device) for name, weight in weights.items()}, assign=True)
            module.eval()
        return modules

    def _tensor(self, name: str) -> torch.Tensor:
        stored = self.parent.tensors[name]
        raw = read_rows(stored, 0, stored.shape[0])
        return as_tensor(raw, stored.dtype).reshape(stored.shape).to(self.dtype)


def nll(norm: torch.nn.Module, table: torch.Tensor, states: torch.Tensor, tokens: torch.Tensor) -> list[float]:
    """Σ −log p of every token but the first, in nats, of each row; log-softmax in fp32, a row at a time."""
    ids = tokens.to(table.device)
    normed = norm(states.to(device=table.device, dtype=table.dtype))
    return [
        float(F.cross_entropy((row[:-1] @ table.T).float(), at[1:], reduction="sum"))
        for row, at in zip(normed, ids, strict=True)
    ]


def _parts(model_type: str) -> dict[str, Any]:
    import importlib

    module = importlib.import_module(f"transformers.models.{model_type}.modeling_{model_type}")
    title = model_type.title()  # Llama, Qwen2
    norm = f"{title}LayerNorm1P" if model_type == "nemotron" else f"{title}RMSNorm"
    names = {"layer": f"{title}DecoderLayer", "rotary": f"{title}RotaryEmbedding", "norm": norm}
    return {part: getattr(module, name) for part, name in names.items()}
