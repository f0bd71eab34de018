"""Scores as functions of sums over groups, so that intervals come from resampling the sums."""
