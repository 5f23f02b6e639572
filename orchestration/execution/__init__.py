"""What workers do: dispatch, advance, record, reconcile. Any number of calls, in any order, do no harm."""
