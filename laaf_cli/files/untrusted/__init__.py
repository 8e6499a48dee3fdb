"""Arrays of numbers in untrusted files: checked before they are read, in NumPy's formats,
MATLAB 5 and HDF5.
"""
