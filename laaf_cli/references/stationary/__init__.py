"""The referee for problems without time."""
