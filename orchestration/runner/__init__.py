"""The step runner: one zipapp that does one attempt of one item and reports it. Standard library only."""
