"""Object storage (s3://, gs://): addresses, copies in a bounded cache, and outputs that appear whole or not at all."""
