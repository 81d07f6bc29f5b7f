"""Live, exact or sampled, by arithmetic alone."""

import subprocess
import sys

import pytest

from zoo.distill.teacher.cache.manifest import Exact, Sampled
from zoo.distill.teacher.choose import Rates, choose_teacher, exact_bytes, logit_bytes, sampled_bytes
from zoo.errors import InvalidOption
from zoo.registry.loader import load_registry

BILLION = 10**9
TERABYTE = 10**12


def dims(name="nemotron-4-15b"):
    return load_registry().resolve(name).architecture


def test_hidden_states_of_the_family_take_a_small_part_of_their_logits():
    assert exact_bytes(dims()) == 12 * 1024
    assert logit_bytes(dims()) == 500 * 1024
    ratios = {name: logit_bytes(dims(name)) / exact_bytes(dims(name)) for name in ("mistral-nemo-12b", "llama-3.1-8b")}
    assert {name: round(ratio) for name, ratio in ratios.items()} == {"mistral-nemo-12b": 26, "llama-3.1-8b": 31}


def test_bytes_are_those_that_the_cache_writes():
    assert exact_bytes(dims(), "float32", layers=2) == Exact(dtype="float32", layers=(1, 2)).bytes_a_position(6144)
    assert sampled_bytes(17) == Sampled(k=17).bytes_a_position(6144)


def test_ten_kibibytes_a_token_are_ten_terabytes_a_billion():
    choice = choose_teacher(dims("mistral-nemo-12b"), BILLION, 8192, TERABYTE, uses=2)
    assert choice.option("exact").bytes == 10 * 1024 * BILLION
    assert not choice.option("exact").fits
    assert choice.taken == "sampled"


def test_what_is_used_once_is_told_live():
    choice = choose_teacher(dims(), BILLION, 4096, 100 * TERABYTE)
    assert choice.taken == "live"
    assert [choice.option(source).pays_from for source in ("live", "exact", "sampled")] == [None, 2, 2]


def test_what_is_used_twice_is_kept_exactly_where_there_is_room():
    assert choose_teacher(dims(), BILLION, 4096, 100 * TERABYTE, uses=2).taken == "exact"
    assert choose_teacher(dims(), BILLION, 4096, 10**9, uses=2).taken == "live"


def test_flops_of_all_ways_are_the_teachers():
    choice = choose_teacher(dims(), 1000, 4096, TERABYTE)
    live, exact, sampled = choice.options
    assert exact.making_flops + exact.use_flops == live.use_flops == sampled.making_flops
    assert exact.use_flops == 1000 * 2 * 256_000 * 6144
    assert (live.making_flops, sampled.use_flops) == (0, 0)


def test_a_slow_disk_makes_the_live_teacher_the_cheaper_one():
    fast = Rates(flops=4e14, read_bytes=5e9, write_bytes=5e9)
    slow = Rates(flops=4e14, read_bytes=1e8, write_bytes=1e8)
    assert choose_teacher(dims(), BILLION, 4096, 100 * TERABYTE, uses=3, rates=fast).taken == "exact"
    choice = choose_teacher(dims(), BILLION, 4096, 100 * TERABYTE, uses=3, rates=slow)
    assert choice.taken == "live"
    assert choice.option("exact").pays_from is None


@pytest.mark.parametrize("uses", range(1, 8))
def test_a_cache_pays_from_the_use_at_which_it_is_cheaper(uses):
    rates = Rates(flops=4e14, read_bytes=2e8, write_bytes=1e8)
    choice = choose_teacher(dims(), BILLION, 4096, 100 * TERABYTE, rates=rates)
    for option in choice.options[1:]:
        cheaper = option.cost(uses) < choice.option("live").cost(uses)
        assert cheaper == (option.pays_from is not None and uses >= option.pays_from)


def test_nothing_to_teach_is_refused():
    with pytest.raises(InvalidOption):
        choose_teacher(dims(), 0, 4096, TERABYTE)


def test_choosing_needs_no_torch():
    code = "import sys, zoo.distill.teacher.choose; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
