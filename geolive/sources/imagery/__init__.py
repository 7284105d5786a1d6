"""What the sources of street-level images share: the area, the sample, the ledger, requests with retries, and the dataset."""
