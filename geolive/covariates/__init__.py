"""Covariates: numbers at the places of clusters, images and prediction sites, from rasters and tables."""
