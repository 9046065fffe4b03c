"""Experiments: a grid of runs, arms against seeds, and what they say together."""
