"""One token of every active sequence at the speed of the memory, and the choice of how; never chooses a token."""
