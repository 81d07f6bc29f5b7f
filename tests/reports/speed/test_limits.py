"""Limits on the speed pages: the roofline's own arithmetic, for what the registry knows and bandwidth bounds."""

from __future__ import annotations

import pytest

from reports.speed.limits import Shape, limits_on, most_tokens_per_s
from zoo.arch.gpus import load_gpus
from zoo.arch.roofline import decode_work, mean_context, prefill_work
from zoo.registry.loader import load_registry

REGISTRY, GPUS, SHAPE = load_registry(), load_gpus(), Shape(128, 128)


def test_a_rate_is_the_answer_over_the_prefill_and_the_steps_after_it():
    dims, gpu = REGISTRY.models["llama-3.1-8b"].architecture, GPUS["h100-sxm"]

    def seconds(work):
        return max(work.bytes / 3.35e12, work.flops / 989e12)

    step = seconds(decode_work(dims, 1, mean_context(128, 128)))
    whole = seconds(prefill_work(dims, 1, 128)) + 127 * step
    (limit,) = [limit for limit in limits_on(gpu, REGISTRY, SHAPE) if limit.model == "llama-3.1-8b"]
    assert limit.rate == pytest.approx(128 / whole)
    assert limit.rate == most_tokens_per_s(REGISTRY.models["llama-3.1-8b"], gpu, SHAPE, 1)
    assert limit.bound_by == "bandwidth"
    assert limit.largest_rate is not None
    assert limit.largest_rate > 50 * limit.rate


def test_models_that_a_cache_holds_have_no_limit():
    models = {limit.model for limit in limits_on(GPUS["h200"], REGISTRY, SHAPE)}
    assert {"minitron-4b", "minitron-8b-fp8"} <= models
    assert not any(model.startswith("nano-") for model in models)
    assert most_tokens_per_s(REGISTRY.models["nano-teacher"], GPUS["h200"], SHAPE, 1) is None


def test_what_does_not_fit_says_so_and_has_no_largest_batch():
    limits = {limit.model: limit for limit in limits_on(GPUS["a30"], REGISTRY, SHAPE)}
    big = limits["nemotron-4-15b"]
    assert (big.fits, big.largest, big.largest_rate) == (False, 0, None)
    assert limits["minitron-4b"].fits
    assert most_tokens_per_s(REGISTRY.models["nemotron-4-15b"], GPUS["a30"], SHAPE, 1) is None


def test_no_batch_larger_than_the_largest_has_a_rate():
    gpu, model = GPUS["l4"], REGISTRY.models["minitron-4b"]
    (limit,) = [limit for limit in limits_on(gpu, REGISTRY, SHAPE) if limit.model == "minitron-4b"]
    assert most_tokens_per_s(model, gpu, SHAPE, limit.largest) == limit.largest_rate
    assert most_tokens_per_s(model, gpu, SHAPE, limit.largest + 1) is None
