"""lm-eval's own task objects: found, checked, given their data. What cannot be had is named, never replaced."""
