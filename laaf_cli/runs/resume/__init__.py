"""A stopped or finished run that goes on: its state, what has changed since, and its plan."""
