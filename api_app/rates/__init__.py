"""How many requests a token, a user and a workspace may make (docs/design/0012, SEC-137)."""
