"""What the speed pages say: limits, pairs, and rows of the store as lines of text. Never holds HTML, never measures."""
