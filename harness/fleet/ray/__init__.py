"""Jobs of a night as tasks of a Ray cluster, each on a node with its GPU; never decides what a job is worth."""
