"""A third party's backend, whole: Llama in numpy, fp32, without a cache. What docs/writing-a-backend.md walks through."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from safetensors.torch import load_file

from backends.contract import Capabilities, GenerateRequest, Generation, Options, Score, ScoreRequest
from backends.tokenizer import HfTokenizer
from zoo.checkpoint.locate import Checkpoint
from zoo.errors import UnsupportedArchitecture, UnsupportedRequest

KEPT = 64
"""Sequences whose log-probabilities are kept: endings of one question share them."""


def open_numpy(checkpoint: Checkpoint, options: Options) -> NumpyLlama:
    """The function that the entry point names."""
    if checkpoint.config.get("model_type") != "llama":
        raise UnsupportedArchitecture(f"numpy runs llama, not '{checkpoint.config.get('model_type')}'.", "Use hf.")
    return NumpyLlama(checkpoint)


class NumpyLlama:
    """Scores, and generates greedily."""

    name = "numpy"
    device = "cpu"
    dtype = "float32"

    def __init__(self, checkpoint: Checkpoint) -> None:
        config = json.loads((checkpoint.folder / "config.json").read_text("utf-8"))
        loaded = load_file(checkpoint.folder / "model.safetensors")
        self.weights = {name: tensor.float().numpy() for name, tensor in loaded.items()}
        self.layers, self.heads = config["num_hidden_layers"], config["num_attention_heads"]
        self.kv_heads, self.width = config["num_key_value_heads"], config["head_dim"]
        self.eps = config["rms_norm_eps"]
        self.theta = config["rope_parameters"]["rope_theta"]
        self.versions = {"numpy": np.__version__}
        self.capabilities = Capabilities(score=True, generate=True, stream=False, max_length=checkpoint.max_length)
        self.tokenizer = HfTokenizer(checkpoint.folder)
        self.vocabulary = config["vocab_size"]
        self.ends = {config["eos_token_id"], self.tokenizer.eos_id}
        self.logprobs = lru_cache(KEPT)(self._logprobs)

    def score(self, requests: Sequence[ScoreRequest]) -> Iterator[Score]:
        for request in requests:  # all of them before the first is computed: a refused call has no half an answer
            self._check(request.context, request.continuation)
            if len(request.context) + len(request.continuation) - 1 > self.capabilities.max_length:
                raise ValueError(f"a sequence does not fit into {self.capabilities.max_length} tokens")
        return (self._score(index, request) for index, request in enumerate(requests))

    def generate(self, requests: Sequence[GenerateRequest]) -> Iterator[Generation]:
        for request in requests:
            self._check(request.prompt, (0,))
            if len(request.prompt) + request.max_new_tokens > self.capabilities.max_length:
                raise ValueError(f"a generation does not fit into {self.capabilities.max_length} tokens")
            if request.temperature or request.settings:
                raise UnsupportedRequest("The numpy backend takes the most probable token.", "Use hf.")
        return (self._generation(index, request) for index, request in enumerate(requests))

    def close(self) -> None:
        self.logprobs.cache_clear()
        self.weights.clear()

    def _check(self, *parts: tuple[int, ...]) -> None:
        for part in parts:
            if not part:
                raise ValueError("context, continuation and prompt have at least one token")
            if min(part) < 0 or max(part) >= self.vocabulary:
                raise ValueError(f"a token id is not among the {self.vocabulary} of the vocabulary")

    def _score(self, index: int, request: ScoreRequest) -> Score:
        rows = self.logprobs((request.context + request.continuation)[:-1])[len(request.context) - 1 :]
        series = rows[np.arange(len(rows)), request.continuation]
        greedy = bool((rows.argmax(1) == request.continuation).all())
        told = tuple(series.tolist()) if request.per_token else None
        return Score(index, float(series.astype(np.float64).sum()), greedy, told)

    def _generation(self, index: int, request: GenerateRequest) -> Generation:
        new: list[int] = []
        while len(new) < request.max_new_tokens:
            token = int(self.logprobs((*request.prompt, *new))[-1].argmax())
            if token in self.ends:
                return Generation(index, tuple(new), "stop")
            new.append(token)
            text = self.tokenizer.decode(new, skip_special_tokens=False)
            if any(stop in text for stop in request.stop):
                return Generation(index, tuple(new), "stop")
        return Generation(index, tuple(new), "length")

    def _logprobs(self, tokens: tuple[int, ...]) -> np.ndarray:
        """log p of every token of the vocabulary behind each token, `[tokens, vocabulary]`."""
        w = self.weights
        hidden = w["model.embed_tokens.weight"][list(tokens)]
        for layer in range(self.layers):
            at = f"model.layers.{layer}."
            hidden = hidden + self._attention(self._norm(hidden, at + "input_layernorm.weight"), at + "self_attn.")
            inner = self._norm(hidden, at + "post_attention_layernorm.weight")
            gate, up = inner @ w[at + "mlp.gate_proj.weight"].T, inner @ w[at + "mlp.up_proj.weight"].T
            hidden = hidden + (gate / (1 + np.exp(-gate)) * up) @ w[at + "mlp.down_proj.weight"].T
        head = w.get("lm_head.weight", w["model.embed_tokens.weight"])
        return log_softmax(self._norm(hidden, "model.norm.weight") @ head.T)

    def _norm(self, x: np.ndarray, weight: str) -> np.ndarray:
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(self.eps)) * self.weights[weight]

    def _attention(self, x: np.ndarray, at: str) -> np.ndarray:
        w, length = self.weights, len(x)
        q, k, v = (
            (x @ w[f"{at}{part}_proj.weight"].T).reshape(length, -1, self.width).transpose(1, 0, 2) for part in "qkv"
        )
        q, k = self._rotated(q), self._rotated(k)
        k, v = (part.repeat(self.heads // self.kv_heads, 0) for part in (k, v))
        scores = q @ k.transpose(0, 2, 1) / np.float32(self.width**0.5)
        scores = np.where(np.tri(length, dtype=bool), scores, np.float32(-np.inf))
        mixed = np.exp(log_softmax(scores)) @ v
        return mixed.transpose(1, 0, 2).reshape(length, -1) @ w[at + "o_proj.weight"].T

    def _rotated(self, x: np.ndarray) -> np.ndarray:
        half = self.width // 2
        angles = np.outer(np.arange(x.shape[1]), self.theta ** (-np.arange(half) / half))
        cos, sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
        one, other = x[..., :half], x[..., half:]
        return np.concatenate([one * cos - other * sin, other * cos + one * sin], -1)


def log_softmax(x: np.ndarray) -> np.ndarray:
    x = x - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))
