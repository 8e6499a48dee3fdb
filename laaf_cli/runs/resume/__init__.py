"""A stopped or finished run that is resumed: its state, what has changed since, and its plan."""
