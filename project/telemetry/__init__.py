"""What Prometheus reads, on a port of its own: of each process that serves, and of the platform as a whole."""
