"""Folders of photos as a source of datasets."""
