"""How often the 95 % intervals of learned constants hold the truth, over draws of the noise.

    python tests/benchmarks/intervals.py [DRAWS]

Asked: 90 to 98 of 100, of every constant.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from inverse_problems import PROBLEMS, covered


def main() -> None:
    n_draws = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    for problem, yaml in PROBLEMS.items():
        counts: Counter[str] = Counter()
        for seed in range(n_draws):
            counts.update(covered(yaml, seed, {}))
        for constant, count in counts.items():
            print(f"{problem}: {constant} in {count} of {n_draws}", flush=True)


if __name__ == "__main__":
    main()
