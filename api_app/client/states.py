"""What the contract's words mean to whoever waits."""

FINISHED = frozenset({"SUCCEEDED", "FAILED", "CANCELED", "TIMED_OUT"})
