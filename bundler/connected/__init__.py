"""The connected side: manifest, lock, fetch, pack. Nothing here is imported on an air-gapped host."""
