"""Configuration: where it lies, what it may say, and how it becomes objects."""
