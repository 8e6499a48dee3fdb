"""What run files tell: comparison, tables, figures, exports. Needs neither torch nor the
training.
"""
