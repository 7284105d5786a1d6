"""Explanations of trained models: which inputs matter, and why a model predicts what it does."""
