"""The picture of a distillation."""

import xml.etree.ElementTree as ElementTree

from reports.charts.losses import POINTS, losses_svg


def test_losses_and_tasks_are_drawn_with_a_label_for_those_who_do_not_see_it():
    steps = [{"step": at, "loss": 1 / at, "divergence": 1 / at} for at in range(1, 20)]
    svg = losses_svg(steps, {"arc <b>": [(5, 0.2), (10, 0.3)]}, 'my "student"')
    root = ElementTree.fromstring(svg)
    assert root.get("aria-label") == 'Loss of a distillation by step, my "student"'
    assert "Tasks, of the checkpoints" in svg
    assert "<b>" not in svg


def test_a_long_run_is_no_larger_a_picture():
    def size(count):
        return len(losses_svg([{"step": at, "loss": 1 / at} for at in range(1, count + 1)], {}, "run"))

    assert size(40 * POINTS) < 1.5 * size(POINTS)


def test_a_run_without_a_step_is_drawn_empty():
    assert ElementTree.fromstring(losses_svg([], {}, "none")) is not None
