"""The calls and the JSON of docs/openapi.json, written by `make clients`."""
