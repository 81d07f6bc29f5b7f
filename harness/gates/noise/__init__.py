"""What identical code does to answers when its digits differ: re-runs, and a file that the gate reads. Never a verdict."""
