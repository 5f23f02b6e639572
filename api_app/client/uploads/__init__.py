"""Sending files: many at once, in parts, to the platform or to its object storage (docs/design/0003)."""
