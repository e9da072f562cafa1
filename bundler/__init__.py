"""Carry uv and Python to machines that never see a network."""

__version__ = "0.1.0"
