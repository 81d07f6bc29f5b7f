"""The leaderboard as data: which models, which columns, which figure in each cell and how sure; never HTML."""
