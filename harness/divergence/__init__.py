"""How far two models' next-token distributions are apart over a suite's prompts; never keeps a distribution on disk."""
