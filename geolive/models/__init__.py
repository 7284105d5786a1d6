"""Models from places to values, and the bundles that keep them."""
