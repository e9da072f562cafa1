"""Removable media: what a mounted drive can do, and how files get onto it so that they stay there."""
