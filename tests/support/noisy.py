"""Files of noise, as tests of what reads them want them."""

from datetime import UTC, datetime

from harness.gates.noise.file import GoldNoise, NoiseFile, TaskNoise

WHEN = datetime(2026, 11, 30, tzinfo=UTC)


def task_noise(task, highest, fall=None, documents=1000):
    """A task of which the worst re-run changed `highest`, and whose gold log-probability fell by `fall` nats in one."""
    changed = round(highest * documents)
    gold = None if fall is None else GoldNoise(
        documents=documents, mean=-fall / 2, lowest_mean=-fall, highest_mean=0.0, sd=0.1, largest=1.0
    )  # fmt: skip
    return TaskNoise(
        task=task, metric="acc", filter="none", documents=documents, runs=5, lost=changed, gained=0, discordance=highest / 2,
        highest=highest, upper=min(1.0, 2 * highest), largest_difference=-highest, sd=0.1, gold=gold,
    )  # fmt: skip


def noise(*tasks):
    """A calibration of them."""
    return NoiseFile(
        schema="minizoo.noise/1", model="nano-teacher", suite="nano", backend="hf", device="cpu", versions={"torch": "2"},
        made=WHEN, first="float32, as it is run", variations=("bfloat16",) * 5, seconds=(1.0,) * 5, tasks=tasks,
    )  # fmt: skip
