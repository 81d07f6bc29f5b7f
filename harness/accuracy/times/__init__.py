"""The time of an evaluation: the clock of each task, and pace from earlier runs. Never reads a record or a database."""
