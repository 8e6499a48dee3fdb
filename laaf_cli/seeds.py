"""One seed, many independent streams of random numbers, each known by name.

A stream depends on the seed and its own name alone: two activations with one seed share points and
weights, and a new stream never shifts the numbers of an old one.
"""

from __future__ import annotations

import zlib

import numpy as np


def random_stream(seed: int, *name: str) -> np.random.Generator:
    """The generator of the stream `name` (as `"points", "interior"`) of `seed`."""
    key = [zlib.crc32(part.encode()) for part in name]
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy=seed, spawn_key=key)))
