"""What `minizoo nightly` shows: the plan before it runs, its table in the morning; never decides anything."""
