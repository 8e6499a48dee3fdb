"""Derivatives of a network with respect to its inputs: Taylor mode by the kernel or in torch,
and their oracle.
"""

from laaf_cli.derivatives.choice import (
    AUTO,
    ENGINES,
    FUSED,
    MakeEngine,
    evaluate_together,
    kernel_name,
    make_fastest,
    obstacle,
)
from laaf_cli.derivatives.engine import DerivativeEngine, Operator, Prepared
from laaf_cli.derivatives.fused import FusedEngine
from laaf_cli.derivatives.jacobian import LinearisedFields
from laaf_cli.derivatives.nested import NestedEngine
from laaf_cli.derivatives.taylor import TaylorEngine
