"""The nano family: text by seed, a teacher trained from scratch on it, its pruned students, their weights. Never benchmarks."""
