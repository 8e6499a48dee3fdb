"""laaf: a command-line PDE solver that tells you how wrong it is."""

__version__ = "0.1.0"
