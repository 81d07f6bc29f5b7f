"""Results in the forms of other tools, from records alone; never runs a model, asks the hub or makes a number of its own."""
