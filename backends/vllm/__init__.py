"""vLLM, in an interpreter of its own: what it is opened with, what it follows of a request. Never imports vLLM."""
