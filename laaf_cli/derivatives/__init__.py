"""Derivatives of a network with respect to its inputs: Taylor mode, and nested autograd as its oracle."""

from laaf_cli.derivatives.engine import DerivativeEngine
from laaf_cli.derivatives.nested import NestedEngine
from laaf_cli.derivatives.taylor import TaylorEngine

ENGINES: dict[str, type[DerivativeEngine]] = {"taylor": TaylorEngine, "nested": NestedEngine}

__all__ = ["ENGINES", "DerivativeEngine", "NestedEngine", "TaylorEngine"]
