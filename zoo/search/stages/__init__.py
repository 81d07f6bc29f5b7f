"""What a search does one after the other: text, cuts, scores, rungs, confirmation; never more than a stage in a file."""
