"""Nights: a plan compiled to independent jobs, run here or by any scheduler, gathered and judged; never scores anything."""
