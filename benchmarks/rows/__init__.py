"""The steps of gpu_rows: which there are, what each needs, how each ended. Never holds a CUDA context of its own."""
