"""From the pixels of photos to numbers: image features and object counts."""
