"""The device that a name means on this machine."""

from __future__ import annotations

import torch

from laaf_cli.errors import UsageError


def torch_device(name: str) -> torch.device:
    """`auto` (CUDA where there is one), `cpu` or `cuda`.

    Raises:
        UsageError: for CUDA where it is missing.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError(
            "this machine has no CUDA device that torch can use; "
            "`device='auto'` takes what there is"
        )
    return torch.device(
        ("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name
    )
