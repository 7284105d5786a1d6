"""Mapillary: images in a region or around surveyed places, with positions, object counts and photos, from its API v4."""
