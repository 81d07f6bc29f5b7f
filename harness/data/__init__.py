"""A local mirror of hub data sets, filled and checked. Never used while a model runs."""
