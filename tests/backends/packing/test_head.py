"""What a model does to its head's logits is what packing does to them."""

import pytest
import torch
import transformers
from support.tiny_models import DIMS, config_of, tiny_of

from backends.packing.forward_pass import Unsupported
from backends.packing.head import OutputHead

FINISHING = {
    "capped": transformers.Gemma2Config(**DIMS, final_logit_softcapping=5.0),
    "multiplied": transformers.CohereConfig(**DIMS, logit_scale=0.4),
    "divided": transformers.GraniteConfig(**DIMS, logits_scaling=7.0),
}


@pytest.mark.parametrize("kind", FINISHING)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.inference_mode()
def test_logits_behind_the_head_are_the_models_own(kind, dtype):
    model = tiny_of(FINISHING[kind]).to(dtype)
    ids = torch.arange(3, 20)[None]
    hidden = model.model(ids, use_cache=False).last_hidden_state[0]
    own = model(ids, use_cache=False).logits[0]
    head = OutputHead(model)
    assert head.finish is not None
    assert torch.equal(head.logits(hidden), own)
    assert (head.linear(hidden) - own).abs().max() > 0.1


def test_a_head_that_is_the_last_step_has_nothing_behind_it():
    assert OutputHead(tiny_of(config_of("llama"))).finish is None


def test_the_model_is_left_as_it_was():
    model = tiny_of(FINISHING["capped"])
    before = {name: id(parameter) for name, parameter in model.named_parameters()}
    parts = [id(module) for module in model.modules()]
    OutputHead(model)
    assert {name: id(parameter) for name, parameter in model.named_parameters()} == before
    assert [id(module) for module in model.modules()] == parts


@pytest.mark.parametrize(
    "behind",
    [lambda x: x - x.amax(-1, keepdim=True), lambda x: x.cumsum(-1), lambda x: x[..., :5]],
    ids=["shifted", "summed", "cut"],
)
def test_a_logit_that_depends_on_others_is_refused(behind):
    model = tiny_of(config_of("llama"))
    kind = type(model)

    class Odd(kind):
        def forward(self, *args, **kwargs):
            out = super().forward(*args, **kwargs)
            out.logits = behind(out.logits)
            return out

    model.__class__ = Odd
    with pytest.raises(Unsupported, match="one logit at a time"):
        OutputHead(model)


def test_states_scaled_in_front_of_a_head_with_biases_are_refused():
    model = tiny_of(config_of("llama"))
    model.lm_head.bias = torch.nn.Parameter(torch.ones(DIMS["vocab_size"]))
    kind = type(model.model)

    class Scaled(type(model)):
        def forward(self, input_ids=None, inputs_embeds=None, **kwargs):
            states = self.model(input_ids=input_ids, inputs_embeds=inputs_embeds, **kwargs).last_hidden_state
            return transformers.modeling_outputs.CausalLMOutputWithPast(logits=self.lm_head(states * 0.5))

    model.__class__ = Scaled
    assert kind is type(model.model)
    with pytest.raises(Unsupported, match="between its decoder and its head"):
        OutputHead(model)
    model.lm_head.bias = None
    assert OutputHead(model).finish is not None
