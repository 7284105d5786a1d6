"""The table of Lee et al. 2021 as a source of datasets."""
