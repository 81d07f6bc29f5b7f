"""One seed of `benchmarks/search_rank.py`: a teacher, candidates within a budget, short trainings and long ones."""
