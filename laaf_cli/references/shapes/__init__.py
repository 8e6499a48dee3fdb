"""References on shapes in the plane."""
