"""Simulated countrysides whose truth is known: survey, photos and districts."""
