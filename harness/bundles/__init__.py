"""Records that leave one machine and reach another in one file, digests and all. Never measures, never corrects a figure."""
