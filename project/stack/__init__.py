"""The outermost ASGI stack: what holds for every request, whichever framework answers it (security.md, section 2)."""
