"""The restore drill: a backup is worth what was restored from it."""
