"""What is broken on purpose, and whether the doctor names it."""
