"""How laaf is packed: the kernel in a wheel, a wheel without it and the reason, and what an sdist holds."""

from __future__ import annotations

import ctypes
import importlib.util
import json
import shutil
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
import torch
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).resolve().parents[1]
IN_PACKAGE = Path("laaf_cli/derivatives/kernel")


def load(folder: Path) -> ModuleType:
    """The build script, by its path as Hatchling loads it: an installed laaf does not hold it."""
    specification = importlib.util.spec_from_file_location("kernel_build", folder / "build.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


script = load(ROOT / IN_PACKAGE)

FUSED = """
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME(a) JOIN(a, LAAF_VARIANT)
#include <cmath>
template <class T> __attribute__((noipa)) T shared(T) { return LAAF_VECTOR_BYTES; }
extern "C" int NAME(bytes_)() { return LAAF_VECTOR_BYTES; }
extern "C" int NAME(shared_)() { return shared<int>(0); }
extern "C" int NAME(not_a_number_)(double x) { return std::isnan(x); }
extern "C" int NAME(threads_)() {
  int n = 0;
#pragma omp parallel reduction(+ : n)
  n += 1;
  return n;
}
"""

DISPATCH = """
#ifdef LAAF_HAS_AVX512
#define BEST(a) a##avx512
#elif defined(LAAF_HAS_AVX2)
#define BEST(a) a##avx2
#else
#define BEST(a) a##portable
#endif
extern "C" int BEST(bytes_)();
extern "C" int BEST(shared_)();
extern "C" int BEST(not_a_number_)(double);
extern "C" int BEST(threads_)();
#define PUBLIC extern "C" __attribute__((visibility("default")))
PUBLIC int bytes() { return BEST(bytes_)(); }
PUBLIC int shared_instantiation() { return BEST(shared_)(); }
PUBLIC int not_a_number(double x) { return BEST(not_a_number_)(x); }
PUBLIC int threads() { return BEST(threads_)(); }
"""


def has_compiler() -> bool:
    try:
        script.find_compiler()
    except script.KernelError:
        return False
    return True


needs_compiler = pytest.mark.skipif(not has_compiler(), reason="no C++ compiler on this machine")


@pytest.fixture(autouse=True)
def _no_wish_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAAF_NO_KERNEL", raising=False)


@pytest.fixture
def without_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A kernel that compiles in no time."""
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "fused.cpp").write_text(FUSED, encoding="utf-8")
    (folder / "dispatch.cpp").write_text(DISPATCH, encoding="utf-8")
    return folder


@pytest.fixture
def project(tmp_path: Path, sources: Path) -> Path:
    """This project with a kernel that compiles in no time and, of the package, what a wheel cannot be made without."""
    folder = tmp_path / "project"
    kernel = folder / IN_PACKAGE
    kernel.mkdir(parents=True)
    for file in (
        "pyproject.toml",
        ".gitignore",
        "README.md",
        "LICENSE",
        "laaf_cli/__init__.py",
        IN_PACKAGE / "build.py",
    ):
        shutil.copy(ROOT / file, folder / file)
    for source in sources.iterdir():
        shutil.copy(source, kernel)
    (folder / "problems").mkdir()
    (folder / "problems" / "burgers.yaml").touch()
    return folder


def wheel_of(project: Path) -> Path:
    return Path(
        next(
            iter(
                WheelBuilder(str(project)).build(
                    directory=str(project / "dist"), versions=["standard"]
                )
            )
        )
    )


def held_by(wheel: Path) -> dict[str, bytes]:
    """The files of a wheel in the kernel's folder."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            Path(n).name: archive.read(n)
            for n in archive.namelist()
            if Path(n).parent == IN_PACKAGE
        }


@needs_compiler
def test_one_library_holds_every_variant_of_the_processors(sources: Path) -> None:
    compiler = script.find_compiler()
    built = script.build(sources, sources)
    assert built[:-1] == (
        str(compiler),
        tuple(v.name for v in compiler.variants),
        compiler.is_gcc,
        "",
    )
    assert built.sources == script.fingerprint(sources)
    assert built._asdict() == {
        **json.loads((sources / "built.json").read_text(encoding="utf-8")),
        "variants": built.variants,
    }
    file = sources / "fused.so"
    assert not [
        name
        for name in (b"libgomp", b"libstdc++", b"libgcc_s")
        if compiler.is_gcc and name in file.read_bytes()
    ]
    library = ctypes.CDLL(str(file))
    assert library.bytes() == compiler.variants[0].vector_bytes
    assert library.not_a_number(ctypes.c_double(float("nan"))) == 1
    # What several variants instantiate must run on every processor.
    assert library.shared_instantiation() == compiler.variants[-1].vector_bytes


@needs_compiler
@pytest.mark.parametrize("n_threads", [1, 2])
def test_the_library_has_the_threads_of_torch(sources: Path, n_threads: int) -> None:
    built = script.build(sources, sources)
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        assert ctypes.CDLL(str(sources / "fused.so")).threads() == (
            n_threads if built.threads else 1
        )
    finally:
        torch.set_num_threads(before)


@needs_compiler
def test_a_variant_that_does_not_compile_is_left_out(sources: Path) -> None:
    best, *rest = script.find_compiler().variants
    if not rest:
        pytest.skip("this processor has one variant")
    refusal = f'#if LAAF_VECTOR_BYTES == {best.vector_bytes}\n#error "not so wide"\n#endif\n'
    (sources / "fused.cpp").write_text(refusal + FUSED, encoding="utf-8")
    built = script.build(sources, sources)
    assert built.variants == tuple(variant.name for variant in rest)
    assert built.reason.startswith(f"{best.name} was left out: ")
    assert "not so wide" in built.reason
    assert ctypes.CDLL(str(sources / "fused.so")).bytes() == rest[0].vector_bytes


@needs_compiler
@pytest.mark.parametrize("file", ["fused.cpp", "dispatch.cpp"])
def test_sources_that_do_not_compile_leave_the_reason_and_no_library(
    sources: Path, file: str
) -> None:
    (sources / "fused.so").touch()
    (sources / file).write_text('#error "out of order"\n', encoding="utf-8")
    built = script.build(sources, sources)
    assert built.variants == ()
    assert "failed (" in built.reason
    assert "out of order" in built.reason
    assert sorted(path.name for path in sources.iterdir()) == [
        "built.json",
        "dispatch.cpp",
        "fused.cpp",
    ]


@pytest.mark.usefixtures("without_compiler")
def test_without_a_compiler_no_older_library_is_left(sources: Path) -> None:
    (sources / "fused.so").touch()
    built = script.build(sources, sources)
    reason = (
        "there was no C++ compiler when laaf was installed ($CXX, g++, c++, clang++ were tried)"
    )
    assert built[:-1] == ("", (), False, reason)
    assert json.loads((sources / "built.json").read_text(encoding="utf-8"))["reason"] == reason
    assert not (sources / "fused.so").exists()


@pytest.mark.parametrize(
    ("value", "skipped"), [("1", True), ("yes", True), ("0", False), ("", False)]
)
@pytest.mark.usefixtures("without_compiler")
def test_the_kernel_can_be_declined(
    sources: Path, monkeypatch: pytest.MonkeyPatch, value: str, skipped: bool
) -> None:
    monkeypatch.setenv("LAAF_NO_KERNEL", value)
    reason = script.build(sources, sources).reason
    assert (reason == "LAAF_NO_KERNEL was set when laaf was installed") == skipped


COMPILER = """#!/bin/sh
for argument; do
  case "$argument" in
    -dM) printf '%s\\n' MACROS; exit ;;
    -static-*) echo 'error: cannot find -lstdc++' >&2; exit 1 ;;
  esac
done
echo "$*" >> CALLS
while [ "$1" != -o ]; do shift; done
: > "$2"
"""
GCC = ("__GNUC__ 12", "__linux__ 1", '__VERSION__ "12.2.0"')
CLANG = ("__GNUC__ 4", "__linux__ 1", "__clang__ 1", '__VERSION__ "Clang 18.1.3"')


@pytest.mark.parametrize(
    ("macros", "sanitize", "name", "variants"),
    [
        ((*GCC, "__x86_64__ 1"), False, "GCC 12.2.0", ("avx512", "avx2", "portable")),
        ((*GCC, "__x86_64__ 1"), True, "GCC 12.2.0", ("avx512", "avx2", "portable")),
        ((*GCC, "__aarch64__ 1"), False, "GCC 12.2.0", ("portable",)),
        ((*CLANG, "__x86_64__ 1"), False, "Clang 18.1.3", ("avx512", "avx2", "portable")),
    ],
)
@pytest.mark.usefixtures("without_compiler")
def test_how_compilers_are_called(
    macros: tuple[str, ...],
    sanitize: bool,
    name: str,
    variants: tuple[str, ...],
    sources: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A compiler that writes down its calls, and has no static libraries."""
    calls = tmp_path / "calls"
    program = tmp_path / "any++"
    shown = " ".join(f"'#define {macro}'" for macro in macros)
    program.write_text(
        COMPILER.replace("MACROS", shown).replace("CALLS", str(calls)), encoding="utf-8"
    )
    program.chmod(0o755)
    monkeypatch.setenv("CXX", f"{program} --own-flag")
    built = script.build(tmp_path, sources, sanitize=sanitize)
    gcc = "__clang__ 1" not in macros
    assert built[:-1] == (name, variants, gcc, "")
    *compilations, link = calls.read_text(encoding="utf-8").splitlines()
    assert len(compilations) == len(variants) + 1
    for call in (*compilations, link):
        assert call.startswith("--own-flag ")
        assert ("-fsanitize=address,undefined" in call.split(), "-O3" in call.split()) == (
            sanitize,
            not sanitize,
        )
    for call in compilations:
        assert ("-fopenmp" in call.split()) == gcc
        assert "-ffast-math" not in call
    assert "-shared" in link.split()
    assert "openmp" not in link
    assert [Path(word).stem for word in link.split() if word.endswith(".o")] == [
        "dispatch",
        *reversed(variants),
    ]
    library = "fused-asan.so" if sanitize else "fused.so"
    assert {path.name for path in tmp_path.iterdir() if path.suffix in (".so", ".json")} == (
        {library} if sanitize else {library, "built.json"}
    )


@needs_compiler
def test_a_wheel_with_the_kernel_is_for_any_python_of_this_platform(project: Path) -> None:
    (project / IN_PACKAGE / "fused.so").write_bytes(b"of an older build")
    wheel = wheel_of(project)
    *_, python, abi, platform = wheel.stem.split("-")
    assert (python, abi) == ("py3", "none")
    assert platform != "any"
    held = held_by(wheel)
    assert sorted(held) == ["built.json", "fused.so"]
    assert json.loads(held["built.json"])["variants"]
    assert len(held["fused.so"]) > 1000
    assert (project / IN_PACKAGE / "fused.so").read_bytes() == b"of an older build", (
        "the source tree was written to"
    )


@pytest.mark.usefixtures("without_compiler")
def test_a_wheel_without_the_kernel_is_for_everyone_and_says_why(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = wheel_of(project)
    assert wheel.name.endswith("-py3-none-any.whl")
    held = held_by(wheel)
    assert sorted(held) == ["built.json"]
    reason = json.loads(held["built.json"])["reason"]
    assert capsys.readouterr().err == f"laaf comes without its C++ kernel and is slower: {reason}\n"


@needs_compiler
def test_an_editable_installation_has_the_kernel_in_its_source_tree(project: Path) -> None:
    builder = WheelBuilder(str(project))
    (hook,) = builder.get_build_hooks(str(project / "dist")).values()
    data = builder.get_default_build_data()
    builder.set_build_data_defaults(data)
    (project / IN_PACKAGE / "fused.so").write_bytes(b"of an older build")
    hook.initialize("editable", data)
    assert len((project / IN_PACKAGE / "fused.so").read_bytes()) > 1000
    assert json.loads((project / IN_PACKAGE / "built.json").read_text(encoding="utf-8"))["variants"]


def test_an_sdist_holds_the_sources_of_the_kernel_and_nothing_built(tmp_path: Path) -> None:
    sdist = next(
        iter(SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    )
    with tarfile.open(sdist) as archive:
        names = [Path(*Path(name).parts[1:]) for name in archive.getnames()]
    held = {name.name for name in names if name.parent == IN_PACKAGE}
    written = {
        path.name for path in (ROOT / IN_PACKAGE).iterdir() if path.suffix in (".cpp", ".h", ".py")
    }
    assert {"build.py", "fused.cpp", "dispatch.cpp"} <= written
    assert held == written


def test_the_wheel_holds_the_templates_of_pages(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAAF_NO_KERNEL", "1")
    templates = Path("laaf_cli/report/page/templates")
    shutil.copytree(ROOT / templates, project / templates)
    with zipfile.ZipFile(wheel_of(project)) as archive:
        held = {Path(name).name for name in archive.namelist() if Path(name).parent == templates}
    assert held == {"page.html", "page.js", "style.css"}
