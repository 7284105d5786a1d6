"""Where work on partitions runs: in this process, or on a Ray cluster."""
