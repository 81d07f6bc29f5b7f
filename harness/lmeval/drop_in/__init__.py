"""lm-eval's own command line with minizoo as one of its models. Never changes what lm-eval computes."""
