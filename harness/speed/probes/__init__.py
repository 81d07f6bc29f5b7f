"""What the machine says of itself while something is measured. Never judges it."""
