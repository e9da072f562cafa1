"""The air-gapped side: read, verify, unpack, export. Imports no network code and no YAML parser."""
