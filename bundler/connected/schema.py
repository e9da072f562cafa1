"""The manifest's JSON Schema, for editors, generated from what reads the manifest.

`manifests/manifest.schema.json` is this, written out (`python -m bundler.connected.schema`); a test
holds the two together. The schema says what the shape of each key can say; that requests are ones
which uv reads, and that keys agree with each other, only the reader knows.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from bundler.connected.manifestshape import SHAPE

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def manifest_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of manifest version 1."""
    return {"$schema": DIALECT, "title": "uv-bundler manifest, version 1", **SHAPE.schema()}


def schema_bytes() -> bytes:
    """Return the schema as it is shipped: keys in the order in which a person would write them."""
    return json.dumps(manifest_schema(), indent=2, ensure_ascii=True).encode() + b"\n"


if __name__ == "__main__":
    sys.stdout.buffer.write(schema_bytes())
