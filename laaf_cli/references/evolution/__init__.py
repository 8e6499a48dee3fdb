"""The referee for equations in time along at most one coordinate of space."""
