"""Intervals of places and districts, and where a model may be applied."""
