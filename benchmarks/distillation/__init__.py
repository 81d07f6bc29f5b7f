"""What the distillation benchmark measures, each thing in a process of its own; never a part of minizoo."""
