"""What every backend must pass before its figures count, and the faults that it would catch; never stores an outcome."""
