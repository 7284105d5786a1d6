"""Tables with one image in each row, as other tools write them: positions, object counts, features."""
