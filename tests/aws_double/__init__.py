"""AWS for one platform under test, as a process: Step Functions by moto, and a Batch that really runs its jobs."""
