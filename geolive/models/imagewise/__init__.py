"""Networks trained on single photos."""
