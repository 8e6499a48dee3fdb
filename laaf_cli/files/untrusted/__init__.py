"""Arrays of numbers in files of strangers: looked at before they are read, in NumPy's formats,
MATLAB 5 and HDF5.
"""
