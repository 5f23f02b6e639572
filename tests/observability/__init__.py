"""Rules, their tests, the runbooks that they name and the metrics that they rest on."""
