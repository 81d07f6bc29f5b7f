"""Codes of what makes a speed measurement invalid, or only annotates it. docs/performance.md lists them."""

from __future__ import annotations

import re

INVALID: dict[str, str] = {
    "nothing-measured": "no trial was measured",
    "output-short": "a request ended before its stated output length",
    "clock-backwards": "times of a request do not rise",
    "clock-stopped": "a request took no time",
    "warmup-unsettled": "the last warm-up trials still differed by more than the rule allows",
    "clocks-throttled": "NVML told a hardware slow-down, a thermal slow-down or a power brake",
    "other-gpu-processes": "other processes used the GPU",
    "machine-busy": "other processes kept more than a tenth of a processor busy",
    "time-limit": "the time limit of the run ended the measurement before its trials were enough",
    "memory-errors": "new uncorrected memory errors",
    "clock-drift": "the SM clock fell by more than 10 % without a power cap",
    "settings-changed": "a power limit, MIG or ECC mode, the clock's maximum or the number of processors changed meanwhile",
    "no-telemetry": "a GPU without telemetry: throttling and other processes cannot be ruled out",
    "decode-fallback": "the fast step of decoding could not be had, so that the model's speed is not its own",
    "device-lost": "the device stopped answering",
    "device-memory": "weights and caches do not fit into the memory",
    "backend-broke": "the engine raised",
    "not-watched": "imported: minizoo did not watch clocks, throttling and other processes",
    "requests-failed": "imported: some requests failed",
    "run-incomplete": "imported: the run was cancelled or not completed",
    "counts-inconsistent": "imported: the file's counts of requests contradict one another",
    "above-roofline": "a step took less time than the roofline allows",
    "figures-differ": "contributed: a figure is not what its trials give",
}
"""Reasons: each makes the result invalid."""

NOTES: dict[str, str] = {
    "power-capped": "the power limit set the clock, as is usual for an A100 or H100 under load",
    "random-weights": "random weights: no energy is taken",
    "no-process-telemetry": "the system does not tell what other processes did",
    "mig-enabled": "MIG is on: power and energy are the whole GPU's and are not taken",
    "persistence-off": "the driver's persistence mode is off",
    "overloaded": "requests arrived faster than they were served",
    "percentiles-refused": "too few samples for a percentile",
    "client-side-times": "imported: times were taken at the client",
    "multiple-gpus": "imported: several GPUs worked together",
    "plain-decode": "the backend decodes this model's sequences one at a time, as packing does not follow it",
    "figure-absent": "imported: a figure that cannot exist, such as a time of 0 s, was left out",
}
"""Notes: none makes the result invalid."""

UNSPECIFIED = "unspecified"
"""Of a sentence in a record of before the codes that is not recognised."""

_OLD_SENTENCES: tuple[tuple[str, str], ...] = (
    (r"nothing was measured", "nothing-measured"),
    (r"output length not reached", "output-short"),
    (r"the clock went backwards", "clock-backwards"),
    (r"the clock stood still", "clock-stopped"),
    (r"the warm-up had not settled", "warmup-unsettled"),
    (r"clocks were held down", "clocks-throttled"),
    (r"\d+ other process(es)? on the GPU", "other-gpu-processes"),
    (r"other processes kept", "machine-busy"),
    (r"the time limit ended", "time-limit"),
    (r"uncorrected memory errors", "memory-errors"),
    (r"faster than the roofline", "above-roofline"),
    (r"the clock fell", "clock-drift"),
    (r"\w+ changed from", "settings-changed"),
    (r"no telemetry|the GPU does not tell its clock events", "no-telemetry"),
    (r"decoded by ", "decode-fallback"),
    (r"the device stopped answering|device lost", "device-lost"),
    (r"out of memory", "device-memory"),
    (r"[A-Z]\w*(Error|Exception): ", "backend-broke"),
    (r"imported from", "not-watched"),
    (r"\d+ of \d+ requests failed", "requests-failed"),
    (r"the run (was cancelled|is not complete)", "run-incomplete"),
    (r"power-capped", "power-capped"),
    (r"random weights", "random-weights"),
    (r"this system does not tell what other processes did", "no-process-telemetry"),
    (r"MIG is on", "mig-enabled"),
    (r"persistence mode is off", "persistence-off"),
    (r"\S+ requests/s are more than it serves", "overloaded"),
    (r"p[\d.]+ needs \d+ samples", "percentiles-refused"),
    (r"times were taken at the client", "client-side-times"),
    (r"\d+ GPUs worked together", "multiple-gpus"),
    (r"each sequence was decoded alone", "plain-decode"),
)


def code_of_sentence(text: str) -> str:
    """The code of a sentence that minizoo wrote before there were codes."""
    return next((code for pattern, code in _OLD_SENTENCES if re.match(pattern, text)), UNSPECIFIED)
