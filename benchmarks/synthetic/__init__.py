"""Invented models, answers and speeds in the form of real records; never read by anything but benchmarks and tests."""
