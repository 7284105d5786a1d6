"""Panoramax: images in a region or around surveyed places, from the STAC API of the open, federated commons."""
