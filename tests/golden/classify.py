"""`laaf classify` with a LeNet of four channels in place of 64, so that its run file is small, on images made here."""

from __future__ import annotations

import numpy as np

from laaf_cli.__main__ import main
from laaf_cli.images.models import lenet

random = np.random.default_rng(0)
arrays = {
    f"{what}_{part}": values
    for part, n in (("train", 12), ("test", 6))
    for what, values in (
        ("x", random.integers(0, 256, (n, 16, 16), np.uint8)),
        ("y", np.arange(n) % 3),
    )
}
np.savez("images.npz", **arrays)
lenet._MAPS = 4
main()
