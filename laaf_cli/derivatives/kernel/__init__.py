"""The kernel: a C++ library that carries values and derivatives through a network a block of
points at a time.
"""

from laaf_cli.derivatives.kernel.library import (
    ACTIVATIONS,
    ChainRule,
    KernelCall,
    KernelMissing,
    KernelNetwork,
    Library,
    Parameters,
    Shape,
    load_library,
)
