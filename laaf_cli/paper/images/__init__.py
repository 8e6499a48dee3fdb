"""Section 4 of the paper: figures 10 and 11 from runs of image classifications."""
