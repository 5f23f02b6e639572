"""The contract of both engines: one scenario a file, the same sequence of events on each (README.md)."""
