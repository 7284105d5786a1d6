"""Evaluation: protocols, uncertainty, reports."""
