"""Tables with a row an image, as other tools write them: positions, object counts, features."""
