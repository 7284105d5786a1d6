"""Graphs: edges between images or places, and batches of them."""
