"""What is printed: results on stdout, messages and progress on stderr."""
