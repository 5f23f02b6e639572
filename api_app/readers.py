"""What becomes of those who read an answer too slowly."""


class ReaderTooSlow(OSError):
    """It has taken nothing of what it was sent for too long."""
