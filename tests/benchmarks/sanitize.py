"""The tests of the kernel under AddressSanitizer and UndefinedBehaviorSanitizer, for every instruction set. Before a release.

    python tests/benchmarks/sanitize.py

Builds `fused-asan.so` beside the library, and runs tests/test_kernel.py with it in a Python that has begun with the
libraries of the sanitizers; a fault of the kernel ends that Python with a report. Needs GCC.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KERNEL = ROOT / "laaf_cli" / "derivatives" / "kernel"
SANITIZERS = ("libasan.so", "libubsan.so")


def main() -> int:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    subprocess.run([sys.executable, KERNEL / "build.py", "--sanitize"], check=True)
    libraries = [
        subprocess.run(
            ["g++", f"-print-file-name={name}"], capture_output=True, text=True, check=True
        ).stdout.strip()
        for name in SANITIZERS
    ]
    environment = {
        **os.environ,
        "LD_PRELOAD": " ".join(libraries),
        "ASAN_OPTIONS": "detect_leaks=0",  # Python itself keeps what it needs to its end
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        "LAAF_KERNEL_LIBRARY": str(KERNEL / "fused-asan.so"),
    }
    codes = {}
    for variant in ("", "avx2", "portable"):
        print(f"--- {variant or 'the best variant'}", flush=True)
        tests = [
            sys.executable,
            "-m",
            "pytest",
            "-n0",
            "-qx",
            "-k",
            "not choice and not load",
            "tests/test_kernel.py",
        ]
        codes[variant] = subprocess.run(
            tests, cwd=ROOT, env={**environment, "LAAF_KERNEL": variant}
        ).returncode
    return max(codes.values())


if __name__ == "__main__":
    sys.exit(main())
