"""Small-area estimation: district values that combine a survey and the predictions of a model."""
