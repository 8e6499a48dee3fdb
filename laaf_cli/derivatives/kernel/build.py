"""The build of the C++ kernel: sources → `fused.so` and, beside it, `built.json`, which says how or
why not.

Hatchling runs this file by its path when it makes a wheel, in an environment that holds neither
torch nor laaf: it imports the standard library alone, and is not part of what a wheel installs. By
hand it builds into the source tree:

    python laaf_cli/derivatives/kernel/build.py [--sanitize]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
    from hatchling.builders.wheel import WheelBuilder, WheelBuilderConfig

SOURCES = Path(__file__).resolve().parent
IN_PACKAGE = "laaf_cli/derivatives/kernel"
LIBRARY = "fused.so"
SANITIZED_LIBRARY = "fused-asan.so"
RECORD = "built.json"
COMPILERS = ("g++", "c++", "clang++")
SKIP = "LAAF_NO_KERNEL"


class KernelVariant(NamedTuple):
    """One compilation of `fused.cpp`, for processors that know some instructions."""

    name: str
    vector_bytes: int
    flags: tuple[str, ...]
    architecture: str
    """The macro that compilers for such processors predefine; empty for all."""


_AVX512 = ("-mavx512f", "-mavx512dq", "-mavx512vl", "-mavx512bw", "-mfma")

# The best first. The last is built everywhere, and without it there is no kernel.
VARIANTS = (
    KernelVariant(
        "avx512", 64, (*_AVX512, "-mprefer-vector-width=512", "-mtune=skylake-avx512"), "__x86_64__"
    ),
    KernelVariant("avx2", 32, ("-mavx2", "-mfma"), "__x86_64__"),
    KernelVariant("portable", 16, (), ""),
)

# Not -ffast-math: NaN must survive, and a library linked with it sets flush-to-zero for the whole
# process.
FLAGS = (
    *("-std=c++17", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra"),
    *("-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast"),
)
OPTIMIZED = ("-O3",)
SANITIZED = (
    "-O1",
    "-g",
    "-fno-omit-frame-pointer",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=undefined",
    "-DINLINED=inline",  # what is inlined everywhere takes three times as long to build so
)
THREADS = (
    "-fopenmp",
)  # never for linking: the kernel takes the OpenMP runtime that torch has brought along
LINK = ("-shared",)
# Takes nothing from other libraries, whatever they export, but libc, libm and OpenMP.
SELF_CONTAINED = ("-static-libstdc++", "-static-libgcc", "-Wl,--exclude-libs,ALL", "-Wl,-Bsymbolic")


class KernelError(Exception):
    """Why there is no kernel, or none of a variant: a clause that can follow a colon."""


class Compiler(NamedTuple):
    """A C++ compiler that answers: how it is called, and the macros that it predefines."""

    command: tuple[str, ...]
    macros: Mapping[str, str]

    @property
    def is_gcc(self) -> bool:
        """GCC for Linux: its OpenMP is the one that torch brings along there, and its linker
        lets that be missing.
        """
        return {"__GNUC__", "__linux__"} <= set(self.macros) and "__clang__" not in self.macros

    @property
    def variants(self) -> tuple[KernelVariant, ...]:
        """The variants of its processors, the best first."""
        return tuple(v for v in VARIANTS if not v.architecture or v.architecture in self.macros)

    def __str__(self) -> str:
        version = self.macros.get("__VERSION__", "").strip('"')
        return f"GCC {version}" if self.is_gcc else version or shlex.join(self.command)


class BuildResult(NamedTuple):
    """What `built.json` says."""

    compiler: str = ""
    variants: tuple[str, ...] = ()
    """Those in the library, the best first; empty where there is no library."""
    threads: bool = False
    """Whether it uses OpenMP."""
    reason: str = ""
    """Why there is no library, or why it lacks a variant; a clause that can follow a colon, else
    empty.
    """
    sources: str = ""
    """The fingerprint of what it was built from."""


def fingerprint(folder: Path = SOURCES) -> str:
    """SHA-256 of the sources in C++."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.cpp"), *folder.glob("*.h")]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def find_compiler() -> Compiler:
    """The first of $CXX, g++, c++ and clang++ that works.

    Raises:
        KernelError: none does.
    """
    for text in (os.environ.get("CXX", ""), *COMPILERS):
        command = tuple(shlex.split(text))
        if command and shutil.which(command[0]):
            try:
                lines = _run([*command, "-dM", "-E", "-x", "c++", os.devnull]).splitlines()
            except KernelError:
                continue
            defined = (line.split(" ", 2) for line in lines if line.startswith("#define "))
            return Compiler(command, {words[1]: words[-1] for words in defined})
    raise KernelError(
        f"there was no C++ compiler when laaf was installed ($CXX, {', '.join(COMPILERS)} were "
        "tried)"
    )


def _run(command: Sequence[str]) -> str:
    """What a command prints.

    Raises:
        KernelError: with its first complaint where it fails.
    """
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, env=environment
        )
    except OSError as error:
        raise KernelError(f"{command[0]} cannot be run ({error.strerror or error})") from None
    sys.stderr.write(ended.stderr)
    if ended.returncode:
        lines = [line.strip() for line in ended.stderr.splitlines() if line.strip()]
        complaint = next(
            (line for line in lines if "error" in line.lower()),
            lines[0] if lines else "without a message",
        )
        raise KernelError(f"{command[0]} failed ({complaint})")
    return ended.stdout


def build(folder: Path, sources: Path = SOURCES, *, sanitize: bool = False) -> BuildResult:
    """Put the library and its `built.json` into a folder; without a compiler, or where it fails,
    the latter alone.

    Whatever happens, no older library is left.

    Args:
        sanitize: `fused-asan.so` instead, without a `built.json`.
    """
    library = folder / (SANITIZED_LIBRARY if sanitize else LIBRARY)
    library.unlink(missing_ok=True)
    try:
        if os.environ.get(SKIP, "0") not in ("", "0"):
            raise KernelError(f"{SKIP} was set when laaf was installed")
        built = _build_library(library, sources, SANITIZED if sanitize else OPTIMIZED)
    except KernelError as error:
        built = BuildResult(reason=str(error))
    if not sanitize:
        built = built._replace(sources=fingerprint(sources))
        (folder / RECORD).write_text(json.dumps(built._asdict(), indent=2) + "\n", encoding="utf-8")
    return built


def _build_library(library: Path, sources: Path, mode: Sequence[str]) -> BuildResult:
    """Compile and link the variants that this compiler can.

    Raises:
        KernelError: it cannot the last of them.
    """
    compiler = find_compiler()
    flags = (*FLAGS, *mode, *(THREADS if compiler.is_gcc else ()))
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = {variant: Path(name, f"{variant.name}.o") for variant in compiler.variants}
        calls = {
            variant: pool.submit(_compile_variant, compiler, variant, sources, target, flags)
            for variant, target in objects.items()
        }
        failures = {
            variant: failure for variant, call in calls.items() if (failure := call.result())
        }
        if VARIANTS[-1] in failures:
            raise KernelError(failures[VARIANTS[-1]])
        variants = [variant for variant in objects if variant not in failures]
        dispatch = Path(name, "dispatch.o")
        has = (f"-DLAAF_HAS_{variant.name.upper()}" for variant in variants)
        source = str(sources / "dispatch.cpp")
        _run([*compiler.command, *flags, *has, "-c", source, "-o", str(dispatch)])
        # A template or an inline function that several variants instantiate, of the standard
        # library say, is taken from the first object that has it: from the variant that every
        # processor can run.
        linked = [dispatch, *(objects[variant] for variant in reversed(variants))]
        _link(compiler, linked, library, mode)
    reason = "; ".join(
        f"{variant.name} was left out: {failure}" for variant, failure in failures.items()
    )
    return BuildResult(
        str(compiler), tuple(variant.name for variant in variants), compiler.is_gcc, reason
    )


def _compile_variant(
    compiler: Compiler, variant: KernelVariant, sources: Path, target: Path, flags: Sequence[str]
) -> str:
    """Compile one variant; why it cannot be, or an empty text."""
    variant_flags = (
        f"-DLAAF_VARIANT={variant.name}",
        f"-DLAAF_VECTOR_BYTES={variant.vector_bytes}",
        *variant.flags,
    )
    try:
        _run(
            [
                *compiler.command,
                *flags,
                *variant_flags,
                "-c",
                str(sources / "fused.cpp"),
                "-o",
                str(target),
            ]
        )
    except KernelError as error:
        return str(error)
    return ""


def _link(compiler: Compiler, objects: Sequence[Path], library: Path, mode: Sequence[str]) -> None:
    """Link beside the target and rename: a process that has loaded the older library keeps it
    whole.
    """
    part = library.with_name(f".{library.name}.part")
    command = [*compiler.command, *LINK, *mode, *map(str, objects), "-o", str(part), "-lm"]
    try:
        _run([*command, *(SELF_CONTAINED if compiler.is_gcc else ())])
    except KernelError:
        _run(command)  # some systems have no static libraries; torch brings the shared ones along
    part.replace(library)


def get_build_hook() -> type[BuildHookInterface[WheelBuilderConfig]]:
    """The build hook; Hatchling asks for it by this name. A class made here needs Hatchling only
    where it runs.
    """
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    class KernelHook(BuildHookInterface["WheelBuilderConfig"]):
        """Adds the kernel to a wheel, or builds it into the source tree of an editable
        installation.
        """

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            if version == "editable":
                built = build(SOURCES)
            else:
                self._made = tempfile.TemporaryDirectory()
                built = self._add(Path(self._made.name), build_data)
            if built.reason:
                without = "lacks a part of" if built.variants else "comes without"
                self.app.display_warning(
                    f"laaf {without} its C++ kernel and is slower: {built.reason}"
                )

        def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
            if version != "editable":
                self._made.cleanup()

        def _add(self, folder: Path, build_data: dict[str, Any]) -> BuildResult:
            """Build in a separate folder, so that the wheel holds this build and the source tree
            stays as it is.
            """
            built = build(folder)
            for file in folder.iterdir():
                build_data["force_include"][str(file)] = f"{IN_PACKAGE}/{file.name}"
            if built.variants:
                builder = cast("WheelBuilder", self.build_config.builder)
                platform = builder.get_best_matching_tag().split("-")[-1]
                build_data["pure_python"] = False
                # a plain C interface: no ABI of a Python version
                build_data["tag"] = f"py3-none-{platform}"
            return built

    return KernelHook


def main() -> int:
    """Build into the source tree; the exit code is 1 where there is no library afterwards."""
    parser = argparse.ArgumentParser(description="Builds laaf's C++ kernel into the source tree.")
    parser.add_argument(
        "--sanitize", action="store_true", help=f"build {SANITIZED_LIBRARY}, which checks itself"
    )
    arguments = parser.parse_args()
    built = build(SOURCES, sanitize=arguments.sanitize)
    for name, value in built._asdict().items():
        print(f"{name}: {', '.join(value) if isinstance(value, tuple) else value}")
    return 0 if built.variants else 1


if __name__ == "__main__":
    sys.exit(main())
