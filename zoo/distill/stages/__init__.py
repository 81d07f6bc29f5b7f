"""What comes before a run's first step: models, text, teacher, each going on where it was stopped; never a step of its own."""
