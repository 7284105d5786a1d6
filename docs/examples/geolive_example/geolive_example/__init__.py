"""An example of a package that adds to geolive. Copy it, rename it, and keep what you need."""
