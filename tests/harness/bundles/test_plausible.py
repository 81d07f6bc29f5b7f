"""A record from elsewhere is believed where its figures are what its trials give and no step beats the roofline."""

from dataclasses import replace

import pyarrow as pa
import pytest
from support.contributed import H100, changed, codes, outcome_on_gpu, setting, speed_record, subject, told, trials_of

from harness.bundles.plausible import doubts, unchecked
from harness.records.speed_record import Achieved, Reason, Validity

# llama-3.1-8b in bf16, 128 tokens in and out, batch 1, on an H100 (3350 GB/s, 989 TFLOP/s). A decode step reads
#   (8,030,261,248 parameters − 525,336,576 of the embedding + 4,096 of one row) × 2 bytes   = 15,009,857,536
#   and 191 tokens of cache × 32 layers × 2 × 8 heads × 128 × 2 bytes                       =     25,034,752
DECODE_BYTES = 15_034_892_288
ROOFLINE_S = DECODE_BYTES / 3350e9
BOUND_S = (DECODE_BYTES - 256e6) / 3350e9 / 1.1


@pytest.fixture(scope="module")
def honest():
    """A point measured well below the roofline."""
    return outcome_on_gpu()


def test_an_honest_record_raises_no_doubt_and_everything_was_checked(honest):
    record = speed_record(honest)
    assert record.speed.validity.valid
    assert doubts(record, trials_of(honest)) == ()
    assert unchecked(record) is None


@pytest.mark.parametrize("words", [{"batch": 4}, {"rate": 4.0, "requests": 30}, {"slo": {"ttft": 0.5}}, {"trials": 2}])
def test_honest_points_of_every_kind_raise_no_doubt(words):
    outcome = outcome_on_gpu(**words)
    assert doubts(speed_record(outcome), trials_of(outcome)) == ()


def test_the_roofline_of_the_comment_is_the_roofline():
    outcome = outcome_on_gpu(step=ROOFLINE_S / 0.99)
    (decode,) = [step for step in outcome.facts.achieved if step.step == "decode"]
    assert decode.bytes == DECODE_BYTES
    assert decode.percent == pytest.approx(99)


@pytest.mark.parametrize("step", [ROOFLINE_S / 0.99, ROOFLINE_S, BOUND_S * 1.0001])
def test_a_step_at_the_roofline_or_within_its_margin_is_believed(step):
    outcome = outcome_on_gpu(step=step)
    assert doubts(speed_record(outcome), trials_of(outcome)) == ()
    assert outcome.facts.validity.valid


def test_a_step_beyond_the_margin_is_told_with_both_figures():
    outcome = outcome_on_gpu(step=BOUND_S * 0.9999)
    reasons = doubts(speed_record(outcome), trials_of(outcome))
    assert {reason.code for reason in reasons} == {"above-roofline"}
    assert (
        reasons[0].text == "faster than the roofline: ITL (p50) of 0.00401 s, where H100 SXM allows at least 0.004011 s"
    )


def test_too_few_trials_for_a_median_are_held_to_the_roofline_by_their_mean():
    outcome = outcome_on_gpu(prefill=0.004, trials=2)
    assert "TTFT (mean) of 0.004 s" in told(speed_record(outcome), trials_of(outcome))


def test_a_rate_beyond_the_margin_is_told_where_every_step_is_slow_enough():
    """32 sequences in the time of one: tokens that came in bursts have a slow step and an impossible rate."""
    outcome = outcome_on_gpu(prefill=0.03)
    rows = [{**row, "token_s": [row["token_s"][0], *[row["token_s"][1]] * 127]} for row in outcome.rows]
    table = pa.Table.from_pylist(rows, schema=trials_of(outcome).schema)
    assert "output rate (p50)" in told(speed_record(outcome), table)


def test_the_first_tokens_of_a_batch_may_come_prompt_by_prompt():
    """64 prompts of 512 tokens are 462 TFLOP, 0.467 s at the peak: half of it, less a tenth, is the least mean."""
    words = {"batch": 64, "shape": (512, 16), "step": 0.02}
    believed, doubted = (outcome_on_gpu(prefill=prefill, **words) for prefill in (0.22, 0.21))
    assert "TTFT" not in told(speed_record(believed), trials_of(believed))
    assert "TTFT (p50) of 0.21 s" in told(speed_record(doubted), trials_of(doubted))


def test_a_model_that_lies_in_a_cache_is_bound_by_its_flops_alone():
    own = {"subject": subject("nano-teacher", source="minizoo")}
    fast = outcome_on_gpu(step=1e-6, prefill=1e-4, model="nano-teacher")
    assert doubts(speed_record(fast, **own), trials_of(fast)) == ()
    stopped = outcome_on_gpu(step=0.0, prefill=1e-4, model="nano-teacher")
    assert "above-roofline" in codes(speed_record(stopped, **own), trials_of(stopped))


def test_the_roofline_is_not_read_from_the_record():
    """A forger who alters a time can alter the rooflines beside it, the machine's dimensions of the entry, and the verdict."""
    outcome = outcome_on_gpu(step=0.001)
    forged = outcome.facts.model_copy(
        update={"achieved": (), "validity": Validity(valid=True), "roofline_note": "no roofline here"}
    )
    assert "above-roofline" in codes(speed_record(outcome, speed=forged), trials_of(outcome))


def test_a_processor_is_held_to_ten_times_what_its_machine_reached():
    step = Achieved(
        step="decode", against="measured", source="copy", bytes_per_s=1e10, flops_per_s=1e12, bytes=1, flops=1, roofline_s=1.0,
        measured_s=1.0, percent=100.0, bound_by="bandwidth",
    )  # fmt: skip
    on_cpu = {"setting": setting(device="cpu", gpu=None)}
    allowed = DECODE_BYTES / 1e10 / 10
    for seconds, expected in ((allowed * 1.001, set()), (allowed * 0.999, {"above-roofline"})):
        outcome = outcome_on_gpu(step=seconds, prefill=1.0, device="cpu", about={"product": "AMD EPYC"})
        record = speed_record(outcome, speed=outcome.facts.model_copy(update={"achieved": (step,)}), **on_cpu)
        assert set(codes(record, trials_of(outcome))) == expected
        assert unchecked(record) == (
            "no data sheet of its processor is held: only beside the rates that its machine reached by its own word"
        )
    assert "states no rates of its own" in unchecked(speed_record(outcome, **on_cpu))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"subject": subject(kind="folder")}, "is no model of the registry"),
        ({"subject": subject("gpt2")}, "gpt2 is no model of the registry"),
        ({"subject": subject(source="elsewhere/llama")}, "are not those that the registry names"),
        ({"subject": subject("minitron-4b-fp8")}, "is quantised"),
        ({"setting": setting(dtype="nf4")}, "the bytes of nf4 are not known"),
    ],
)
def test_what_cannot_be_held_to_a_data_sheet_is_told_and_no_doubt(changes, words):
    outcome = outcome_on_gpu(step=0.001)
    outcome = replace(outcome, facts=outcome.facts.model_copy(update={"validity": Validity(valid=True)}))
    record = speed_record(outcome, **changes)
    assert doubts(record, trials_of(outcome)) == ()
    assert words in unchecked(record)


def test_a_gpu_that_is_not_in_the_table_is_told_and_no_doubt():
    product = "NVIDIA H100 80GB HBM3 MIG 1g.10gb"
    outcome = outcome_on_gpu(step=0.001, about={**H100, "product": product})
    record = speed_record(outcome, setting=setting(gpu=product))
    assert doubts(record, trials_of(outcome)) == ()
    assert unchecked(record) == (
        f"not held against a roofline: no data sheet of its GPU ({product}) is held, and it states no rates of its own"
    )


def test_an_open_loops_rates_are_said_to_be_unchecked_and_its_times_are_checked():
    outcome = outcome_on_gpu(step=0.001, rate=4.0, requests=30)
    assert "open loop" in unchecked(speed_record(outcome))
    assert "ITL (p50)" in told(speed_record(outcome), trials_of(outcome))


def test_two_gpus_in_one_record_are_told_and_a_slice_of_one_is_none(honest):
    assert "two GPUs" in told(speed_record(honest, setting=setting(gpu="NVIDIA B200")), trials_of(honest))
    part = setting(gpu=f"{H100['product']} MIG 1g.10gb")
    assert codes(speed_record(honest, setting=part), trials_of(honest)) == []


def test_a_failed_point_is_believed_and_one_with_figures_is_not(honest):
    empty = {"statistics": (), "trials": 0, "seconds": 0.0, "warmup_s": (), "achieved": (), "comparisons": ()}
    failure = Validity(valid=False, reasons=(Reason(code="device-memory", text="out of memory"),))
    failed = changed(honest, **empty, validity=failure).model_copy(update={"status": "failed"})
    assert (doubts(failed, None), unchecked(failed)) == ((), None)
    assert codes(failed.model_copy(update={"speed": honest.facts}), None) != []
