"""geolive: district maps of livelihood from street-level photos, with honest uncertainty."""

__version__ = "0.1.0"
