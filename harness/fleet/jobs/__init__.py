"""One job of a night: its steps as processes, its attempts, its outcome; never knows the other jobs."""
