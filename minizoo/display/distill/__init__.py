"""What `minizoo distill` shows on a terminal or as JSON; never what it computes."""
