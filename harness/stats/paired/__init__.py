"""Tests of two runs over the same documents, paired by document; never of runs over different ones, which it cannot tell."""
