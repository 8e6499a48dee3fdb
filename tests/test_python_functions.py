"""Functions of a Python file: how the file is run, what may be called, and what the functions may return."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from fault_tables import CONDITIONS, START, marks_of, spec_error
from syrupy.assertion import SnapshotAssertion
from torch import Tensor

from laaf_cli.errors import SpecError
from laaf_cli.problem import PythonFunction
from laaf_cli.runs.plan import Plan, make_plan
from laaf_cli.spec import Text

ONE = START.replace("u_xx", "u_xx + f(u)") + "functions: laws.py\n" + CONDITIONS


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def plan_with(source: str, yaml: str = ONE, folder: str = ".") -> Plan:
    Path(folder).mkdir(exist_ok=True)
    (Path(folder) / "laws.py").write_text(source)
    return make_plan(Text(str(Path(folder) / "spec.yaml"), yaml), allow_python=True)


def function_of(source: str, folder: str = ".") -> PythonFunction:
    return plan_with(source, folder=folder).problem.functions["f"]


def call(body: str, *arguments: Tensor | float) -> Tensor:
    names = ", ".join("uvw"[: len(arguments)])
    return PythonFunction(
        name="f",
        n_arguments=len(arguments),
        source=f"import torch\ndef f({names}):\n    {body}\n",
        file="laws.py",
    )(*arguments)


# The file


def test_the_file_is_run_once_and_its_functions_share_what_they_keep(
    capfd: pytest.CaptureFixture[str],
) -> None:
    source = "print('it ran')\nn = []\ndef f(u):\n    n.append(1)\n    return len(n)*u\ndef g(u):\n    return len(n)*u\n"
    functions = plan_with(source, ONE.replace("f(u)", "f(u) + g(u)")).problem.functions
    u = torch.ones(3)
    assert functions["f"](u).tolist() == [1, 1, 1]
    assert functions["f"](u).tolist() == [2, 2, 2]
    assert functions["g"](u).tolist() == [2, 2, 2]
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "it ran\n")


def test_what_a_function_prints_is_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    call("print(len(u)); return u", torch.ones(3))
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "3\n")


def test_dataclasses_whose_annotations_are_texts() -> None:
    source = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom typing import ClassVar\n\n"
        "@dataclass\nclass Law:\n    n: ClassVar[int] = 2\n    k: float = 3.0\n\n\ndef f(u):\n    return Law().k*u\n"
    )
    assert function_of(source)(torch.ones(2)).tolist() == [3, 3]


def test_modules_beside_the_file() -> None:
    """Each file has its own, whatever their names, and they are not left behind."""
    for folder, factor in (("a", 2), ("b", 5)):
        Path(folder).mkdir()
        (Path(folder) / "beside.py").write_text(f"from within.more import K\nFACTOR = {factor}*K\n")
        (Path(folder) / "within").mkdir()
        (Path(folder) / "within" / "__init__.py").write_text("")
        (Path(folder) / "within" / "more.py").write_text("K = 10\n")
        f = function_of("from beside import FACTOR\n\ndef f(u):\n    return FACTOR*u\n", folder)
        assert f(torch.ones(1)).tolist() == [10 * factor]
    assert not {"beside", "within", "within.more"} & sys.modules.keys()
    assert not {str(Path(folder).resolve()) for folder in "ab"} & set(sys.path)


def test_a_file_that_fails_leaves_nothing_behind() -> None:
    before = set(sys.modules)
    with pytest.raises(SpecError, match=r"laws\.py cannot be run: ZeroDivisionError"):
        plan_with("1/0\n")
    assert not [name for name in set(sys.modules) - before if name.startswith("laaf_functions")]


def test_functions_travel_by_their_text() -> None:
    """Another process needs neither the file nor its folder."""
    f = function_of("K = 4\n\ndef f(u):\n    return K*u\n", "away")
    assert f(torch.ones(1)).tolist() == [4]
    Path("f.pickle").write_bytes(pickle.dumps(f))
    (Path("away") / "laws.py").unlink()
    Path("away").rmdir()
    script = (
        "import pickle, torch; print(pickle.load(open('f.pickle', 'rb'))(torch.ones(1)).tolist())"
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert found.stdout == "[4.0]\n"


# What may be called

UNFIT = {
    "any number of arguments": "def f(*a):\n    return a[0]\n",
    "an argument by name": "def f(u, *, k):\n    return u\n",
    "no function": "import functools\n\n@functools.cache\ndef f(u):\n    return u\n",
    "an object": "class F:\n    def __call__(self, u):\n        return u\n\nf = F()\n",
    "of another file": "from textwrap import dedent as f\n",
}  # fmt: skip


@pytest.mark.parametrize("source", UNFIT.values(), ids=UNFIT)
def test_what_cannot_be_called_is_reported(source: str, snapshot: SnapshotAssertion) -> None:
    Path("laws.py").write_text(source)
    error = spec_error(ONE, allow_python=True)
    assert marks_of(error) == [f"3:{ONE.splitlines()[2].index('f(u)') + 1} f"]
    assert str(error) == snapshot


# What is returned


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "body",
    [
        "return 2",
        "return 2.0",
        "return u.detach()*0 + 2",
        "return torch.tensor(2.0, dtype=torch.float64)",
        "return torch.full((3,), 2)",
        "return torch.full((3,), 2.0, dtype=torch.float64)",
        "return torch.full((3,), True) * 2",
    ],
)
def test_values_have_the_shape_and_the_precision_of_the_argument(
    body: str, dtype: torch.dtype
) -> None:
    found = call(body, torch.ones(3, dtype=dtype))
    assert found.dtype == dtype
    assert found.tolist() == [2, 2, 2]


def test_the_shape_is_that_of_the_first_argument_that_has_one() -> None:
    assert call("return u*v", torch.tensor(2.0), torch.ones(3)).tolist() == [2, 2, 2]
    assert call("return u", torch.tensor(2.0), torch.ones(3)).tolist() == [2, 2, 2]
    assert call("return u", torch.tensor(2.0)).shape == ()
    assert call("return 3*u", 2.0) == 6.0


WRONG = {
    "a column": "return u[:, None]",
    "too few": "return u[:2]",
    "one for all": "return u[:1]",
    "complex": "return u*1j",
    "an array": "return u.detach().numpy()",
    "without a gradient": "return torch.sin(u.detach())",
    "a mean without a gradient": "return u.detach().mean()",
}  # fmt: skip


@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
def test_what_may_not_be_returned(body: str, snapshot: SnapshotAssertion) -> None:
    with pytest.raises(SpecError) as caught:
        call(body, torch.ones(3, requires_grad=True))
    assert str(caught.value) == snapshot


def test_gradients_are_asked_for_only_where_there_are_some() -> None:
    u = torch.full((3,), 2.0, requires_grad=True)
    with torch.no_grad():
        assert call("return torch.sin(u)", u).shape == (3,)
    found = call("return torch.where(u > 1, u**2, 0).double()", u)
    assert torch.autograd.grad(found.sum(), u)[0].tolist() == [4, 4, 4]
    assert call("return (u > 1) + 0*u", u).requires_grad
