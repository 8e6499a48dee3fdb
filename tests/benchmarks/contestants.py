"""The engines of derivatives that can race on this machine."""

from __future__ import annotations

from laaf_cli.derivatives import AUTO, ENGINES, FUSED, obstacle


def racing_engines(device: str = "cpu") -> list[str]:
    """Every engine by name but the choice among them; without the kernel where it cannot compute Burgers' equation."""
    hindered = obstacle(device, "tanh", 2)
    return [name for name in ENGINES if name != AUTO and not (name == FUSED and hindered)]
