"""The table of Lee et al. (2021) becomes a dataset."""
