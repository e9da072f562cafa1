"""The command layer: options, terminal output and the one error boundary."""
