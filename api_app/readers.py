"""What becomes of those who read an answer too slowly, or whose answer ends before its end."""


class ReaderTooSlow(OSError):
    """It has taken nothing of what it was sent for too long."""


class CutShort(ReaderTooSlow):
    """The rest is not sent by this process; a proper end would say that there is none."""
