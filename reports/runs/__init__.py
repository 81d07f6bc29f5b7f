"""One run and its samples, as the site shows them; never a model run."""
