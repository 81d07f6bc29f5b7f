"""Every other class of `support.architecture_sweep`; test_architecture_sweep_2.py has the rest, for a second process."""

import pytest
from support.architecture_sweep import swept_names
from support.sweep_promises import assert_right


@pytest.mark.parametrize("name", swept_names()[0::2])
def test_scores_generations_and_streams_are_those_of_the_models_own_forward_pass(name):
    assert_right(name)
