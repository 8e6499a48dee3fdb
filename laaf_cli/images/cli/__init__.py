"""The command `laaf classify`, its options and its tables."""
