"""The program as a person uses it: what it prints, what it writes, how it ends."""

from __future__ import annotations

import inspect
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Laaf
from syrupy.assertion import SnapshotAssertion

from laaf_cli import __version__
from laaf_cli.cli.app import COMMANDS
from laaf_cli.errors import ExitCode
from laaf_cli.runfile import RunFile

PROGRAM = [sys.executable, "-P", "-m", "laaf_cli"]
QUICK = (
    "--iterations",
    "20",
    "--set",
    "points.interior=200",
    "--set",
    "evaluation.grid={x: 20, t: 20}",
)


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_solve_writes_a_verified_run_file(laaf: Laaf) -> None:
    done = laaf("solve", "paper/burgers", "--activation", "nlaaf", "--n", "10", *QUICK)
    assert done.code == 0
    for word in (
        "relative L2",
        "relative L2 at t = 0.25",
        "reference",
        "Hopf-Cole",
        "slope_recovery",
        "layer 6",
        "seconds per 1000 iterations",
        "runs/burgers-nlaaf-n10-s0.h5",
    ):
        assert word in done.out
    assert "written: runs/burgers-nlaaf-n10-s0.h5" in done.err
    assert "\x1b" not in done.out + done.err, "plain text when not a terminal"
    with RunFile(Path("runs/burgers-nlaaf-n10-s0.h5")) as run:
        facts = run.attributes
        assert (facts["iterations"], facts["stop_reason"], facts["tf32"]) == (20, "completed", 0)
        assert (facts["n_parameters"], facts["n_slopes"]) == (2181, 120)
        assert f"{facts['relative_l2']:.6e}" in done.out
        assert run.array("reference/u").shape == (20, 20)


@pytest.mark.parametrize("activation", ["fixed", "gaaf", "llaaf", "nlaaf"])
@pytest.mark.parametrize("recovery", ["--slope-recovery", "--no-slope-recovery", None])
def test_every_method_of_the_paper(
    laaf: Laaf, activation: str, recovery: str | None, snapshot: SnapshotAssertion
) -> None:
    done = laaf(
        "solve",
        "paper/burgers",
        "-a",
        activation,
        *QUICK,
        *([recovery] if recovery else []),
        "--json",
        "-q",
    )
    if activation == "fixed" and recovery == "--slope-recovery":
        assert done.code == ExitCode.USAGE
        assert done.err == snapshot
        return
    assert done.code == 0
    assert done.err == ""
    found = json.loads(done.out)
    assert found["n_slopes"] == {"fixed": 0, "gaaf": 1, "llaaf": 6, "nlaaf": 120}[activation]
    has_recovery = activation != "fixed" and recovery != "--no-slope-recovery"
    assert ("slope_recovery" in found["terms"]) == has_recovery == found["recovery"]
    assert 0 < found["relative_l2"]["u"] < 2
    assert found["times"] == [0.25, 0.5, 0.75]


def test_slope_recovery_flag_keeps_the_settings_of_the_spec(laaf: Laaf) -> None:
    done = laaf(
        "check", "paper/burgers", "--slope-recovery", "--set", "slopes.recovery.form=sum", "--json"
    )
    assert json.loads(done.out)["settings"]["slopes"]["recovery"]["form"] == "sum"
    done = laaf(
        "check", "paper/burgers", "--slope-recovery", "--set", "slopes.recovery=false", "--json"
    )
    assert json.loads(done.out)["recovery"] is not None, "the flag turns on what the spec turns off"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["heat", "poisson", "wave", "lorenz"])
def test_bundled_problems_reach_their_error(laaf: Laaf, name: str) -> None:
    assert laaf("solve", name, "--max-error", 1e-8, "-q").code == 0


def test_derivative_engines_agree(laaf: Laaf) -> None:
    losses = []
    for engine in ("taylor", "nested"):
        method = ("--dtype", "float64", "--derivatives", engine)
        losses.append(
            json.loads(
                laaf("solve", "paper/burgers", *QUICK, *method, "-o", f"{engine}.h5", "--json").out
            )["total"]
        )
    assert losses[0] == pytest.approx(losses[1], rel=1e-9)


def test_two_runs_are_the_same_bit_for_bit() -> None:
    """Whole processes with two threads, as a person runs them."""
    for name in ("a.h5", "b.h5"):
        command = [*PROGRAM, "solve", "paper/burgers", "-q", "-o", name, *QUICK]
        subprocess.run(
            command, check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "2"}
        )
    with RunFile(Path("a.h5")) as a, RunFile(Path("b.h5")) as b:
        assert a.attributes["threads"] == 2
        for path in (
            "history/total",
            "history/terms/momentum",
            "slopes/layer_3",
            "network/layer_6/weight",
            "solution/u",
        ):
            assert a.array(path).tobytes() == b.array(path).tobytes()


def test_check_tells_what_can_be_known(laaf: Laaf) -> None:
    done = laaf("check", "paper/burgers")
    assert done.code == 0
    for line in (
        "momentum",
        "u, u_x, u_t, u_xx",
        "10000",
        "interior, latin-hypercube",
        "x = -1, x = 1",
        "2181 + 120, P = 1.0550",
        "start condition of Theorem 2.1",
    ):
        assert line in done.out
    assert not Path("runs").exists()


THEOREM = "does not apply: it is of L-LAAF and N-LAAF with slope recovery"


@pytest.mark.parametrize(
    ("options", "holds", "told"),
    [
        (("--slopes", "nlaaf", "--n", "1"), True, "holds"),
        (("--slopes", "llaaf", "--n", "10"), False, "does not hold"),
        (("--slopes", "gaaf"), None, THEOREM),
        (("--slopes", "fixed"), None, THEOREM),
        (("--no-slope-recovery",), None, THEOREM),
    ],
)
def test_theorem_2_1_is_judged_where_it_speaks(
    laaf: Laaf, options: tuple[str, ...], holds: bool | None, told: str
) -> None:
    shown = laaf("check", "heat", *options).out
    assert re.search(f"start condition of Theorem 2.1 +{told} *\\n", shown)
    record = json.loads(laaf("check", "heat", *options, "--json", "-q").out)
    assert record["theorem_holds"] is holds


def test_problems_are_listed_and_printed(laaf: Laaf, snapshot: SnapshotAssertion) -> None:
    listing = laaf("problems")
    assert listing.code == 0
    assert "Viscous Burgers equation" in listing.out
    text = laaf("problems", "burgers").out
    Path("my.yaml").write_text(text)
    assert laaf("check", "my.yaml").code == 0
    wrong = laaf("problems", "burger")
    assert wrong.code == ExitCode.USAGE
    assert wrong.err == snapshot


def test_exit_codes(laaf: Laaf) -> None:
    Path("bad.yaml").write_text("unknowns: u\n")
    assert laaf("solve", "bad.yaml").code == ExitCode.SPEC
    mine = laaf("solve", "paper/burgers", *QUICK, "-o", "bad.yaml", "--overwrite")
    assert mine.code == ExitCode.USAGE
    assert mine.err.endswith("not a run file of laaf, so it is not replaced; name another path\n")
    assert Path("bad.yaml").read_text() == "unknowns: u\n"
    assert laaf("solve", "none.yaml").code == ExitCode.USAGE
    assert laaf("solve", "paper/burgers", "--activation", "laaf").code == ExitCode.USAGE
    assert laaf("solve", "paper/burgers", "--no-such-option").code == ExitCode.USAGE
    assert (
        laaf("solve", "paper/burgers", "--device", "cuda", "--set", "seed=x").code == ExitCode.SPEC
    )
    bound = laaf("solve", "paper/burgers", *QUICK, "--max-error", "1e-6")
    assert bound.code == ExitCode.BOUND_EXCEEDED
    assert "is above the bound 1e-06" in bound.err
    assert Path("runs/burgers-nlaaf-n10-s0.h5").exists(), "the run is written all the same"
    again = laaf("solve", "paper/burgers", *QUICK)
    assert again.code == ExitCode.USAGE
    assert "runs/burgers-nlaaf-n10-s0.h5 already exists; --overwrite replaces it" in again.err
    assert laaf("solve", "paper/burgers", *QUICK, "--overwrite").code == 0
    assert laaf("solve", "paper/burgers", *QUICK, "-s", "3").code == 0
    assert Path("runs/burgers-nlaaf-n10-s3.h5").exists()
    assert laaf("solve", "paper/burgers", *QUICK, "--no-slope-recovery").code == 0
    assert Path("runs/burgers-nlaaf-n10-norecovery-s0.h5").exists()


def test_faults_of_the_command_line_point_at_it(laaf: Laaf, snapshot: SnapshotAssertion) -> None:
    done = laaf("check", "paper/burgers", "--set", "network.hidden=[20,twenty]")
    assert done.code == ExitCode.SPEC
    assert done.err == snapshot


def test_an_error_bound_needs_a_reference(laaf: Laaf) -> None:
    done = laaf("solve", "paper/burgers", "--set", "reference=none", "--max-error", "0.1")
    assert done.code == ExitCode.USAGE
    assert "--max-error needs a reference" in done.err
    done = laaf("solve", "paper/burgers", "--set", "reference=none", *QUICK)
    assert done.code == 0
    assert "unknown: the spec names no reference" in done.out


def test_options_of_one_phase_refuse_several(laaf: Laaf) -> None:
    done = laaf(
        "check",
        "paper/burgers",
        "--set",
        "training=[{iterations: 5}, {iterations: 5}]",
        "--iterations",
        "7",
    )
    assert done.code == ExitCode.USAGE
    assert "the spec has 2 training phases" in done.err


def test_divergence(laaf: Laaf) -> None:
    done = laaf(
        "solve",
        "heat",
        "--learning-rate",
        "1e30",
        "--iterations",
        "9",
        "--set",
        "equations.heat=u_t = exp(u)**9 + u_xx",
    )
    assert done.code == ExitCode.DIVERGED
    assert "training diverged: the loss term 'heat' became" in done.err
    assert "The last good state, of iteration 0, is in runs/heat-nlaaf-n10-s0.h5" in done.err
    with RunFile(Path("runs/heat-nlaaf-n10-s0.h5")) as run:
        assert run.attributes["stop_reason"] == "diverged"
        assert "'heat' became" in run.attributes["stop_detail"]


def test_max_seconds(laaf: Laaf, ticking: Callable[[float], None]) -> None:
    ticking(0.01)
    done = laaf("solve", "heat", "--max-seconds", "0.3", "--iterations", "100000000", "--json")
    assert done.code == 0
    found = json.loads(done.out)
    assert found["stop_reason"] == "max-seconds"
    assert 0.3 <= found["wall_time_s"] < 0.35


def test_interrupt_keeps_what_was_reached() -> None:
    command = [*PROGRAM, "solve", "heat", "--iterations", "1000000", "-o", "kept.h5"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith("iteration 0"):
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert process.returncode == ExitCode.INTERRUPTED, "".join(said) + err
    assert "relative L2" in out
    assert "the run is in kept.h5" in err
    assert "Traceback" not in err
    with RunFile(Path("kept.h5")) as run:
        assert run.attributes["stop_reason"] == "interrupted"
        assert run.attributes["iterations"] > 0
        assert run.array("history/iteration")[-1] == run.attributes["iterations"]


def test_second_interrupt_stops_at_once() -> None:
    from laaf_cli.runs.interrupt import StopFlag

    before = signal.getsignal(signal.SIGINT)  # a shell's background job ignores it
    with StopFlag(lambda: None) as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.is_set()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("problems", 0),
        ("problems burgers", 0),
        (f"solve burgers -q --max-error 1e-9 {shlex.join(QUICK)}", ExitCode.BOUND_EXCEEDED),
    ],
)
def test_a_reader_that_leaves_early_is_no_error(command: str, code: int) -> None:
    script = f"{sys.executable} -m laaf_cli {command} | true"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_results_that_cannot_be_printed(snapshot: SnapshotAssertion) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*PROGRAM, "problems"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == ExitCode.USAGE
    assert done.stderr == snapshot


def test_numbers_that_json_does_not_know(laaf: Laaf) -> None:
    done = laaf("check", "paper/burgers", "--json", "--set", "slopes.recovery.operator=identity")
    assert done.code == 0
    assert json.loads(done.out)["constant_bound"] is None
    assert laaf("solve", "paper/burgers", "--max-seconds", "inf").code == ExitCode.USAGE


def test_interrupt_while_the_file_is_written(laaf: Laaf, monkeypatch: pytest.MonkeyPatch) -> None:
    from laaf_cli.runs import finished as finished_run

    write = finished_run.write_run

    def interrupted(*arguments: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(finished_run, "write_run", interrupted)
    assert laaf("solve", "paper/burgers", *QUICK).code == 0
    assert Path("runs/burgers-nlaaf-n10-s0.h5").exists()


def test_interrupt_before_training(
    laaf: Laaf, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("laaf_cli.spec.bundled.find", interrupted)
    done = laaf("solve", "paper/burgers")
    assert done.code == ExitCode.INTERRUPTED
    assert done.err == snapshot


def test_a_reference_that_fails_is_reported_before_training(laaf: Laaf) -> None:
    done = laaf("solve", "heat", "--set", "reference={exact: {u: 1/(t - 0.25)}}")
    assert done.code == ExitCode.SPEC
    assert "the closed form of 'u' is not finite at {'x': 0.0, 't': 0.25}" in done.err
    assert "iteration" not in done.err


def test_a_terminal_without_unicode_gets_no_traceback() -> None:
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [*PROGRAM, "check", "heat"], capture_output=True, env=environment, check=False
    )
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
    assert b"Theorem 2.1" in done.stdout


def test_help_loads_little_and_no_torch() -> None:
    """450 modules, of which most are those of Typer and Rich; torch alone has 2000, and takes seconds."""
    code = (
        "import sys; sys.argv = ['laaf', 'solve', '--help']\n"
        "from laaf_cli.__main__ import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "loaded = {'torch', 'h5py', 'scipy', 'numpy', 'matplotlib', 'pydantic'} & set(sys.modules)\n"
        "print('loaded', sorted(loaded - {'pydantic'}))\n"
        "print('modules', len(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "loaded []" in done.stdout
    assert int(done.stdout.split()[-1]) < 700
    assert "--slope-recovery" in done.stdout


@pytest.mark.parametrize(("words", "loaded"), [(["--help"], []), (["solve", "--help"], ["solve"])])
def test_commands_are_loaded_when_they_are_called(words: list[str], loaded: list[str]) -> None:
    code = (
        "import sys\n"
        "from laaf_cli.cli.app import COMMANDS, app\n"
        "try: app(sys.argv[1:])\n"
        "except SystemExit as end: assert not end.code\n"
        "modules = {name: row.function.partition(':')[0] for name, row in COMMANDS.items()}\n"
        "print('loaded', [name for name, module in modules.items() if module in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    assert f"loaded {loaded}" in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_summaries_are_the_first_words_of_the_help(name: str) -> None:
    first, _, _ = (inspect.getdoc(COMMANDS[name].load()) or "").partition("\n\n")
    assert COMMANDS[name].summary == " ".join(first.split())


def test_version_and_bare_call(laaf: Laaf) -> None:
    assert laaf("--version").out == f"laaf {__version__}\n"
    bare = laaf()
    assert bare.code == ExitCode.USAGE
    assert "Usage" in bare.out + bare.err


def test_exit_codes_are_in_the_help(laaf: Laaf) -> None:
    words = " ".join(laaf("--help").out.split())
    for code in ExitCode:
        assert f"{code.value} {code.sentence}." in words


NOT_FINITE = """
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {heat: u_t = u_xx}
conditions:
  start: {where: t = 0, equation: sqrt(u - 100) = 1, points: 7}
  walls: {where: boundary, equation: u = 0}
network: {hidden: [5]}
points: {interior: 20}
reference: none
training: [{iterations: 3}]
"""


def test_a_term_that_is_not_finite_is_reported_with_its_place(
    laaf: Laaf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that a condition of Theorem 2.1 does not hold, nor that a smaller learning rate may help."""
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(NOT_FINITE)
    checked = laaf("check", "a.yaml")
    assert checked.code == 0
    assert re.fullmatch(
        r"warning: with the untrained network the condition 'start' is not finite at x = [0-9.]+, t = 0 "
        r"\(7 of 7 residuals\), and such a loss cannot be trained; change the formula, for example sqrt\(u\) to "
        r"sqrt\(abs\(u\)\)\n",
        checked.err,
    )
    assert re.search(r"start condition of Theorem 2.1 +cannot be decided", checked.out)
    record = json.loads(laaf("check", "a.yaml", "--json", "-q").out)
    assert record["theorem_holds"] is None
    assert [warning for warning in record["warnings"] if "'start' is not finite" in warning]
    solved = laaf("solve", "a.yaml", "-o", "a.h5", "-q")
    assert (solved.code, solved.err) == (
        ExitCode.DIVERGED,
        "error: nothing was trained: the loss term 'start' is nan at iteration 0, before any training\n"
        "No learning rate mends that: the formula has no finite value there. laaf check says where.\n",
    )
