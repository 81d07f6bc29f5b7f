"""Speed: workloads, trials, telemetry, validity, rooflines, comparisons; time, memory and energy. Never measures accuracy."""
