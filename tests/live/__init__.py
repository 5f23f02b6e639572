"""The whole platform as real processes, for tests that come through its doors."""
