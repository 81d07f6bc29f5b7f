"""`python -m minizoo`."""

from minizoo.cli import main

main()
