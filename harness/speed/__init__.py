"""Speed: workloads, trials, telemetry, metrics, limits; what is measured of time, memory and energy, never of accuracy."""
