"""Models on a terminal: the list, one entry, a folder, the claims; never what was measured beyond what is beside them."""
