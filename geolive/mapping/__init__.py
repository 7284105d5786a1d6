"""Maps: from sites to districts and rasters, to a page and to files for a GIS."""
