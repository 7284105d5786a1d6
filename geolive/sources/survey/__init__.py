"""Survey tables and DHS files as sources of datasets."""
