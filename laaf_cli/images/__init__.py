"""The classification of images: data sets, networks and their training, as in section 4 of the
paper.
"""
