"""A whole night: begun or gone on with, its jobs run and gathered, judged and told; never measures anything itself."""
