"""Log-likelihoods in fp64: transformers' own Llama or Mistral with the steps in fp64 too that it computes in fp32 otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def exact_scores(folder: Any, requests: Sequence[Any]) -> list[list[Any]]:
    """[Σ log p, greedy?] of each request, each computed alone in fp64."""
    import torch
    from transformers import AutoModelForCausalLM

    model = in_fp64(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float64).eval())
    found: list[list[Any]] = []
    with torch.inference_mode():
        for request in requests:
            tokens = torch.tensor((request.context + request.continuation)[:-1])[None]
            wanted = torch.tensor(request.continuation)
            logp = model(tokens, use_cache=False).logits[0, -len(wanted) :].log_softmax(-1)
            assert logp.dtype == torch.float64
            found.append([float(logp.gather(1, wanted[:, None]).sum()), bool((logp.argmax(1) == wanted).all())])
    return found


def in_fp64(model: Any) -> Any:
    """The model with those steps in fp64 that transformers computes in fp32 whatever the weights are: norms and angles."""
    import torch

    def norm(module: Any) -> Any:
        def forward(x: Any) -> Any:
            return module.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + module.variance_epsilon))

        return forward

    def angles(module: Any) -> Any:
        frequencies = module.inv_freq.double()

        def forward(x: Any, position_ids: Any) -> tuple[Any, Any]:
            turns = position_ids[..., None].double() * frequencies
            turns = torch.cat((turns, turns), -1)
            return turns.cos() * module.attention_scaling, turns.sin() * module.attention_scaling

        return forward

    norms = [m for m in model.modules() if type(m).__name__ in ("LlamaRMSNorm", "MistralRMSNorm")]
    rotary = [m for m in model.modules() if type(m).__name__ in ("LlamaRotaryEmbedding", "MistralRotaryEmbedding")]
    if not norms or not rotary:
        raise SystemExit(
            f"{type(model).__name__} is neither a Llama nor a Mistral: what is exact there is not written here."
        )
    for module in norms:
        module.forward = norm(module)
    for module in rotary:
        module.forward = angles(module)
    return model
