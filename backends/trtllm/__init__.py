"""TensorRT-LLM, the engine that NVIDIA measured with, in an interpreter of its own. Never imported by minizoo itself."""
