"""Where and when a run was made: what every run file records of the machine and the versions."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version

import torch

from laaf_cli import __version__, processes
from laaf_cli.runfile import FORMAT_VERSION, SpecSource
from laaf_cli.spec import Override, Text


def provenance(device: torch.device) -> dict[str, str | int | float]:
    """The attributes of a run file that record the time, the machine and the versions."""
    return {
        "format_version": FORMAT_VERSION,
        "laaf_version": __version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device.type,
        "device_name": torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "processes": processes.count(),
        "tf32": int(torch.get_float32_matmul_precision() != "highest"),
        "python_version": sys.version.split()[0],
        **{
            f"{package}_version": _version(package)
            for package in ("torch", "numpy", "scipy", "h5py")
        },
    }


@cache
def _version(package: str) -> str:
    """Kept, for looking it up takes milliseconds, and every checkpoint asks."""
    return version(package)


def spec_source(text: Text, overrides: tuple[Override, ...]) -> SpecSource:
    """The spec as it was given, and what the command line put in."""
    typed = tuple((".".join(map(str, override.path)), override.text) for override in overrides)
    return SpecSource(os.path.abspath(text.name), text.content, typed)  # noqa: PTH100 - links stay
