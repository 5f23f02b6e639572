class EmbeddedPostgresError(Exception):
    """The embedded database could not do what was asked; the message says what to do about it."""
