"""The only package that knows that Django, FastAPI and Channels share a process."""
