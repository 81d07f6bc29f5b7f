"""Speed beside a pinned canary: what its blocks say, and what the series over nights shows; never measures anything."""
