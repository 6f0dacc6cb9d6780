"""What builds, runs and checks the book. Each module is a command: ``python -m tools.execute --help``."""
