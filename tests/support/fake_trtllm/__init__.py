"""A package that stands for `tensorrt_llm`: its signatures and layouts, a small model's numbers. Never upstream's code."""
