"""The checks themselves, each a function of the subject; they never know of records or of each other."""
