"""The network: multilayer perceptron, activation table, initializers, and the LAAF family of
slopes.
"""

from laaf_cli.network.activations import ACTIVATIONS, Activation
from laaf_cli.network.devices import torch_device
from laaf_cli.network.initializers import INITIALIZERS
from laaf_cli.network.inputs import Inputs, Period
from laaf_cli.network.mlp import Mlp
from laaf_cli.network.slopes import SLOPE_KINDS, SlopeRecovery, Slopes
