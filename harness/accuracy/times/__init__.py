"""What an evaluation takes: its work, clocks, and pace from earlier runs or a probe. Never reads a record or a database."""
