"""Pages that are drawn once for all who watch the same of it, and sent to each."""
