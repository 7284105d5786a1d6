"""The passport of a dataset, a model or a map: checks with figures, thresholds and remedies."""
