"""Shapes in the plane: solids and how they are combined, their boundaries as curves, and their
parts.
"""
