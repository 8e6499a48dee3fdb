"""Reports on run files: comparison, tables, figures, exports. Needs neither torch nor the
training.
"""
