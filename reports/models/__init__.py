"""One model: what is published, what was measured beside it, what contradicts; never a score of its own."""
