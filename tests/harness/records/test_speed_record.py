"""Speed records of before schema 2 hold other words for some fields; they are read as what they mean now."""

from harness.records.speed_record import Achieved, Reason, SpeedFacts, Statistic

OLD_STEP = {
    "step": "decode", "against": "measured", "source": "copy", "bytes_per_s": 2.0, "flops_per_s": 3.0, "bytes": 4,
    "flops": 5, "limit_s": 2.0, "measured_s": 4.0, "percent": 50.0, "binds": "bandwidth",
}  # fmt: skip
OLD = {
    "workload": "w", "point": "p", "limits": {"ttft": 2.0}, "limit_note": "why", "facts": {"product": "A processor"},
    "validity": {"valid": False, "reasons": ["the clock stood still"], "notes": ["a sentence of nobody"]},
    "achieved": [OLD_STEP],
}  # fmt: skip


def test_old_words_are_read_as_the_new_ones():
    facts = SpeedFacts.model_validate(OLD)
    assert (facts.slo, facts.roofline_note, facts.machine) == ({"ttft": 2.0}, "why", {"product": "A processor"})
    assert facts.validity.reasons == (Reason(code="clock-stopped", text="the clock stood still"),)
    assert facts.validity.notes == (Reason(code="unspecified", text="a sentence of nobody"),)
    (step,) = facts.achieved
    assert (step.roofline_s, step.bound_by) == (2.0, "bandwidth")


def test_what_is_written_is_read_again():
    facts = SpeedFacts.model_validate(OLD)
    assert SpeedFacts.model_validate_json(facts.model_dump_json()) == facts
    assert {"roofline_s", "bound_by"} <= set(Achieved.model_validate(OLD_STEP).model_dump())


def test_a_measured_figure_is_recorded_without_what_is_derived_on_read():
    figure = Statistic(metric="ttft", statistic="p50", value=0.5, lower=0.4, upper=0.6, n=9, confidence=0.95)
    assert figure.recorded() == Statistic(metric="ttft", statistic="p50", value=0.5, n=9)
