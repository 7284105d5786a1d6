"""A short brief on a region, as one HTML file or a PDF, from one structure of contents."""
