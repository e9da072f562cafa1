"""Bytes in, values out: what both sides share. No network, no YAML, no terminal."""
