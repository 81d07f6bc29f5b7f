"""Figures that others worked out, to hold minizoo's against."""

CEILINGS_4B_WIDTH = {
    "a100-80-sxm": 248,
    "a100-80-pcie": 235,
    "a100-40-sxm": 189,
    "h100-sxm": 407,
    "l4": 36,
    "h200": 583,
}
"""Tokens a second of llama-3.1-minitron-4b-width at batch 1 in bf16, the cache empty, by GPU of zoo/arch/gpus.yaml."""
