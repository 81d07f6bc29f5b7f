"""Where a side's results come from: runs of a results folder, baselines, folders of lm-eval; never stores anything."""
