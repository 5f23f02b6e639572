"""What Prometheus would read."""
