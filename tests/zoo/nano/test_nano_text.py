"""The nano world's texts: the same for the same seed, never across the split, and true."""

from __future__ import annotations

import functools
import itertools
import re
import subprocess
import sys
from collections import Counter
from random import Random

import pytest

from zoo.nano import corpus, lexicon
from zoo.nano.kinds import cloze, code, endings, prose, sums, words
from zoo.nano.lexicon import pick, pick_other, pronoun
from zoo.nano.world import HELD_OUT_SHARE, Exercise, Maker, for_testing, for_training, held_out

MAKERS: dict[str, Maker] = {name: kind.make for name, kind in corpus.KINDS.items()} | {"long sums": corpus.LONG_SUMS}
EVERY_KIND = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def drawn(make: Maker, count: int, seed: int = 0) -> list[Exercise]:
    rng = Random(seed)
    return [make(rng) for _ in range(count)]


def test_same_seed_gives_the_same_text_and_another_seed_another():
    first, again, other = (list(itertools.islice(corpus.documents(seed), 200)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@EVERY_KIND
def test_no_exercise_is_on_both_sides_of_the_split(make: Maker):
    rng = Random(3)
    test = {for_testing(make, rng).key for _ in range(200)}
    training = {for_training(make, rng).key for _ in range(400)}
    assert not test & training
    assert all(held_out(key) for key in test)


@EVERY_KIND
def test_about_one_exercise_in_eight_is_held_out(make: Maker):
    keys = {exercise.key for exercise in drawn(make, 3000)}
    share = sum(map(held_out, keys)) / len(keys)
    assert HELD_OUT_SHARE / 2 < share < HELD_OUT_SHARE * 2


@EVERY_KIND
def test_first_form_is_what_the_tests_show(make: Maker):
    for exercise in drawn(make, 50):
        shown = exercise.prompt.replace(cloze.HOLE, exercise.answer) if make is cloze.make else exercise.prompt
        assert exercise.forms[0].startswith(shown)
        assert exercise.answer in exercise.forms[0]


def test_exactly_one_listed_word_is_of_the_class_that_is_asked_for():
    for exercise in drawn(words.make, 300):
        asked = re.search(r"Which word is (an? \w+)\?", exercise.prompt)
        assert asked
        assert [word for word in exercise.choices if word in words.CLASSES[asked[1]]] == [exercise.answer]
        assert exercise.prompt.startswith(f"Words: {', '.join(exercise.choices)}.")
        assert len(exercise.choices) == words.CHOICES


def test_no_word_is_of_two_classes():
    every = [word for members in words.CLASSES.values() for word in members]
    assert len(every) == len(set(every))
    assert not set(every) & {*endings.ACTS, *lexicon.NAMES}


@pytest.mark.parametrize("skew", [-1.0, 0.0, 1.0, lexicon.SKEW])
def test_a_word_is_named_in_proportion_to_its_rank_to_the_power_of_the_skew(skew: float):
    rng, draws = Random(0), 20_000
    counted = Counter(pick(rng, lexicon.TREES, skew) for _ in range(draws))
    weights = [rank**-skew for rank in range(1, len(lexicon.TREES) + 1)]
    for word, weight in zip(lexicon.TREES, weights, strict=True):
        expected = draws * weight / sum(weights)
        assert abs(counted[word] - expected) < 5 * expected**0.5 + 1
    assert "oak" not in {pick_other(rng, lexicon.TREES, "oak", skew) for _ in range(200)}


def test_every_word_of_every_list_is_taught():
    """A test may ask for any word of a class and any tool: training text of the shipped length names each."""
    text = " ".join(itertools.islice(corpus.documents(1, mixture=corpus.MIXTURES["long sums"]), 20_000))
    said = set(re.findall(r"[a-z]+", text))
    for members in (*words.CLASSES.values(), endings.TOOLS):
        assert said >= set(members)


def test_exactly_one_ending_agrees_with_its_errand():
    for exercise in drawn(endings.make, 300, seed=1) + drawn(functools.partial(endings.make, skew=-1.0), 300):
        said = re.findall(r"\w+", exercise.prompt)
        name = next(n for n in endings.NAMES if n in said)
        tool = next(t for t in endings.ACTS if t in said)
        start = next(word for word in said if word in endings.ROOMS)
        agreeing = [
            choice
            for choice in exercise.choices
            if choice.startswith(f"{pronoun(name)} {endings.ACTS[tool]}")
            and choice.count(f" {pronoun(name)} ") == 1
            and choice.endswith(f" the {tool} back to the {start}.")
        ]
        assert agreeing == [exercise.answer]
        assert len(set(exercise.choices)) == 4


def test_no_act_of_one_tool_is_that_of_another():
    assert len(set(endings.ACTS.values())) == len(endings.ACTS)


def test_only_one_of_the_two_in_a_cloze_may_be_said_to_be_so():
    for exercise in drawn(cloze.make, 300):
        end = exercise.prompt.split(f" {cloze.HOLE} ")[1].removesuffix(".")
        fitting = [word for word in exercise.choices if any(word in of and end in cloze.SAID[of] for of in cloze.SAID)]
        assert fitting == [exercise.answer]
        assert all(f"the {word}" in exercise.prompt for word in exercise.choices)


def test_every_sum_is_right_step_by_step():
    for exercise in drawn(sums.make, 300) + drawn(corpus.LONG_SUMS, 300):
        *steps, last = exercise.answer.split("\n")
        start, *added = map(int, re.findall(r"\d+", exercise.prompt))
        total = start
        for step, b in zip(steps, added, strict=True):
            assert step == f"{total} + {b} = {total + b}"
            total += b
        assert last == f"#### {total}"
        assert exercise.key == sums.key(added[0], start)


def test_every_step_of_a_sum_falls_on_the_side_of_its_first():
    for exercise in drawn(sums.make, 300) + drawn(corpus.LONG_SUMS, 300):
        pairs = [sums.key(int(a), int(b)) for a, b in re.findall(r"(\d+) \+ (\d+)", exercise.answer)]
        assert {held_out(pair) for pair in pairs} == {held_out(exercise.key)}


def test_a_tale_keeps_its_people_and_things():
    for exercise in drawn(prose.make, 100):
        tale = functools.reduce(lambda text, act: text.replace(act, ""), endings.ACTS.values(), exercise.answer)
        said = set(re.findall(r"\w+", tale))
        for pool, count in ((prose.NAMES, 2), (prose.VESSELS, 1), (prose.ANIMALS, 1), (tuple(endings.ACTS), 1)):
            assert len(said.intersection(pool)) == count


def test_reference_bodies_pass_their_checks_and_a_wrong_one_fails():
    exercises = drawn(code.make, 150)
    program = "\n".join(f"{e.prompt}{e.answer}\n" + "\n".join(code.checks(e)) for e in exercises)
    assert subprocess.run([sys.executable, "-I", "-c", program], check=False).returncode == 0
    for exercise in exercises[:10]:
        wrong = f"{exercise.prompt}    return None\n" + "\n".join(code.checks(exercise))
        done = subprocess.run([sys.executable, "-I", "-c", wrong], check=False, capture_output=True)
        assert done.returncode == 1
        assert b"AssertionError" in done.stderr


def test_checks_tell_bodies_apart_that_differ_in_one_constant():
    for exercise in drawn(code.make, 200):
        for digit in set(re.findall(r"(?<=[><+*-] )\d", exercise.answer)):
            other = str(int(digit) % 9 + 1)
            body = exercise.answer.replace(digit, other)
            if eval_both(exercise, body):
                continue
            with pytest.raises(AssertionError):
                exec("\n".join((exercise.prompt + body, *code.checks(exercise))), {})


def eval_both(exercise: Exercise, body: str) -> bool:
    """Whether the changed body means the same on a wide range: then no check can or should tell them apart."""
    wide = [[n] for n in range(-30, 30)] if "(xs)" in exercise.prompt else list(range(-30, 30))
    results = []
    for text in (exercise.answer, body):
        space: dict = {}
        exec(exercise.prompt + text, space)
        function = next(space[name] for name in code.FUNCTIONS if name in space)
        results.append([function(argument) for argument in wide])
    return results[0] == results[1]
