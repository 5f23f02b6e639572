"""`make bench`: the numbers of this machine, each beside its target. Ratios are taken within one run."""
