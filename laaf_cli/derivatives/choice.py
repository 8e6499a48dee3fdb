"""Which engine computes the derivatives, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch import Tensor

from laaf_cli.derivatives.engine import DerivativeEngine, MakeEngine, Operator, Prepared
from laaf_cli.derivatives.fused import MAX_ORDER, FusedEngine, evaluate_fused
from laaf_cli.derivatives.kernel import ACTIVATIONS, KernelMissing, load_library
from laaf_cli.derivatives.nested import NestedEngine
from laaf_cli.derivatives.taylor import TaylorEngine
from laaf_cli.derivatives.windows import by_window
from laaf_cli.expression import Field
from laaf_cli.network.mlp import Mlp
from laaf_cli.text import listed


def obstacle(device: str, activation: str, order: int) -> str:
    """Why the kernel cannot compute derivatives up to this order, without a full stop; empty
    where it can.
    """
    library = load_library()
    if isinstance(library, KernelMissing):
        return library.reason
    if device != "cpu":
        return f"the kernel is for the CPU, not for {device}"
    if activation not in ACTIVATIONS:
        return f"the kernel has no activation function '{activation}', only {listed(ACTIVATIONS)}"
    if order > MAX_ORDER:
        return f"the kernel goes to order {MAX_ORDER}, and derivatives of order {order} are needed"
    return ""


def make_fastest(
    network: Mlp,
    unknowns: Sequence[str],
    fields: Iterable[Field],
    operators: Iterable[Operator] = (),
) -> DerivativeEngine:
    """The kernel where it can, otherwise Taylor mode in torch."""
    wanted, combined = tuple(fields), tuple(operators)
    orders = [field.orders for field in wanted]
    orders += [orders for operator in combined for orders in operator.orders]
    order = max(map(sum, orders), default=0)
    hindered = obstacle(network.device.type, network.activation.name, order)
    return (TaylorEngine if hindered else FusedEngine)(network, unknowns, wanted, combined)


def evaluate_together(
    requests: Sequence[tuple[DerivativeEngine, Prepared]],
) -> list[dict[Field, Tensor]]:
    """What several engines of one network compute, those of the kernel in one go."""
    fused = [(engine, prepared) for engine, prepared in requests if isinstance(engine, FusedEngine)]
    from_kernel = iter(evaluate_fused(fused) if fused else [])
    return [
        next(from_kernel) if isinstance(engine, FusedEngine) else engine.evaluate(prepared)
        for engine, prepared in requests
    ]


def kernel_name() -> str:
    """The kernel as it is reported: its instruction set; empty without a kernel."""
    library = load_library()
    return "" if isinstance(library, KernelMissing) else f"fused kernel ({library.variant})"


AUTO, FUSED, TAYLOR, NESTED = "auto", "fused", "taylor", "nested"

ENGINES: dict[str, MakeEngine] = {
    AUTO: by_window(make_fastest),
    FUSED: by_window(FusedEngine),
    TAYLOR: by_window(TaylorEngine),
    NESTED: by_window(NestedEngine),
}
