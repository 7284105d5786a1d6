"""Small-area estimation: district values that combine what a survey measured with what a model predicts."""
