"""A parent that runs one layer at a time: each layer's weights are read, used and freed before the next is read."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from zoo.checkpoint.tensor_rows import read_rows
from zoo.checkpoint.torch_tensors import as_tensor
from zoo.errors import InvalidOption
from zoo.prune.parent import Parent


class StreamedModel:
    """transformers' own layers of a parent, one in memory at a time. Computes in `dtype` on `device`."""

    def __init__(self, parent: Parent, device: str = "cpu", dtype: torch.dtype = torch.float32) -> None:
        from transformers import AutoConfig

        self.parent = parent
        self.device, self.dtype = device, dtype
        self._config: Any = AutoConfig.from_pretrained(parent.folder, local_files_only=True, trust_remote_code=False)
        self._config._attn_implementation = "sdpa"
        self._parts = _parts(str(parent.config["model_type"]))
        self._rotary = self._parts["rotary"](config=self._config).to(device)

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
        return table[torch.searchsorted(wanted, tokens)].to(self.device)

    def layer(self, index: int) -> torch.nn.Module:
        """Layer `index` with its weights, ready for `through`."""
        with torch.device("meta"):
            layer: torch.nn.Module = self._parts["layer"](self._config, index)
        self._fill(layer, f"model.layers.{index}.")
        return layer.eval()

    def through(self, layer: torch.nn.Module, states: torch.Tensor) -> torch.Tensor:
        """A causal pass of [rows, length, hidden] through one layer."""
        positions = torch.arange(states.shape[1], device=self.device)[None]
        out = layer(
            states.to(self.device),
            attention_mask=None,
            position_ids=positions,
            position_embeddings=self._rotary(states.to(self.device), positions),
        )
        return out[0] if isinstance(out, tuple) else out

    def head(self) -> tuple[torch.nn.Module, torch.Tensor]:
        """The final norm and the output matrix [vocabulary, hidden]."""
        dims = self.parent.dims
        eps = self._config.norm_eps if dims.norm == "layernorm1p" else self._config.rms_norm_eps
        with torch.device("meta"):
            norm: torch.nn.Module = self._parts["norm"](dims.hidden_size, eps=eps)
        self._fill(norm, "model.norm.")
        table = "model.embed_tokens.weight" if dims.tied_embeddings else "lm_head.weight"
        return norm.eval(), self._tensor(table)

    def _fill(self, module: torch.nn.Module, prefix: str) -> None:
        weights = {name: self._tensor(prefix + name) for name, _ in module.named_parameters()}
        module.load_state_dict(weights, assign=True)

    def _tensor(self, name: str) -> torch.Tensor:
        stored = self.parent.tensors[name]
        raw = read_rows(stored, 0, stored.shape[0])
        return as_tensor(raw, stored.dtype).reshape(stored.shape).to(device=self.device, dtype=self.dtype)


def nll(norm: torch.nn.Module, table: torch.Tensor, states: torch.Tensor, tokens: torch.Tensor) -> float:
    """Σ −log p of every token but the first of each row, in nats; log-softmax in fp32, a row at a time."""
    total = 0.0
    for row, ids in zip(norm(states), tokens, strict=True):
        total += float(F.cross_entropy((row[:-1] @ table.T).float(), ids[1:].to(table.device), reduction="sum"))
    return total


def _parts(model_type: str) -> dict[str, Any]:
    import importlib

    module = importlib.import_module(f"transformers.models.{model_type}.modeling_{model_type}")
    title = model_type.title()
    norm = f"{title}LayerNorm1P" if model_type == "nemotron" else f"{title}RMSNorm"
    names = {"layer": f"{title}DecoderLayer", "rotary": f"{title}RotaryEmbedding", "norm": norm}
    return {part: getattr(module, name) for part, name in names.items()}
