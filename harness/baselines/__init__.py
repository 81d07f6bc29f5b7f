"""Runs that somebody accepted as the ones to compare with, kept in git; never averaged, never one that was invalid."""
