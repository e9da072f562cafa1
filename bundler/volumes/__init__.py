"""A bundle in several files: cut, looked at, read, recovered and repaired (FORMAT.md §17)."""
