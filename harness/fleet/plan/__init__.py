"""What a night is to do: its plan read, checked and compiled to jobs, with what they cost and could show; never runs one."""
