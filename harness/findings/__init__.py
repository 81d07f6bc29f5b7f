"""What the method's experiments found: contrasts of arms over seeds, intervals, verdicts; never trains a model itself."""
