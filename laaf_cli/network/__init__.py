"""The network: multilayer perceptron, activation table, initializers, and the LAAF family of
slopes.

Import from its modules: `slope_kinds` serves modules that must not import torch.
"""
