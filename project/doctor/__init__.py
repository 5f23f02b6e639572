"""Looks at everything that the platform stands on, and says what is wrong, why it may be, and what to do next."""
