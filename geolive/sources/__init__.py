"""Where rows come from: one module a source, each making a dataset."""
