"""The figures: what is drawn is what stands in the run file, and a person can tell what it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from conftest import Laaf, plan_of
from matplotlib import image
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection, QuadMesh
from matplotlib.colors import LogNorm, to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from report_pages import MEMBRANE
from syrupy.assertion import SnapshotAssertion

from laaf_cli.errors import ExitCode, RunFileError, UsageError
from laaf_cli.network.slope_kinds import SLOPE_KINDS
from laaf_cli.report import figures
from laaf_cli.report.figures import ErrorGroup, RunData, amplitude_spectrum
from laaf_cli.report.figures.moments import moments
from laaf_cli.report.figures.scales import error_scale, field_scale, linear_limits, log_limits
from laaf_cli.report.methods import REFERENCE_COLOR
from laaf_cli.runfile import RunFile
from laaf_cli.runs.train import execute

HEAT = """
title: Heat that costs $5 and $6
coordinates: {t: [5, 6], x: [0, 2]}
unknowns: [u, v]
equations: {a: u_t = u_xx, b: v_t = u}
conditions:
  start: {where: t = 5, equation: [u = x, v = 0], points: 7, weight: 3}
  walls: {where: boundary, equation: u = x}
points: {interior: 20}
weights: {equations: {b: 2}}
network: {hidden: [4, 3]}
slopes: {kind: nlaaf, n: 5}
training: [{iterations: 4}]
reference: {exact: {u: sin(pi*x), v: x*(t - 5)}}
evaluation: {grid: {x: 9, t: 4}, times: [5.25, 5.5]}
"""
LINE = """
title: Line
coordinates: {x: [-3, 3]}
unknowns: [u]
data: {target: {u: "where(x <= 0, 0.2*sin(6*x), 1)"}, points: 20}
network: {hidden: [4]}
training: [{iterations: 2}]
reference: {exact: {u: "where(x <= 0, 0.2*sin(6*x), 1)"}}
evaluation: {grid: {x: 31}}
"""
PLANE = """
coordinates: {x: [0, 1], y: [0, 2]}
unknowns: [u]
equations: {a: laplacian(u) = 0}
conditions: {walls: {where: boundary, equation: u = 0}}
network: {hidden: [4]}
points: {interior: 20}
training: [{iterations: 1}]
reference: {exact: {u: x*y}}
evaluation: {grid: {x: 5, y: 7}}
"""
SPACE = """
coordinates: {x: [0, 1], y: [0, 1], z: [0, 1]}
unknowns: [u]
equations: {a: laplacian(u) = 0}
conditions: {walls: {where: boundary, equation: u = 0}}
network: {hidden: [4]}
points: {interior: 20}
training: [{iterations: 1}]
reference: {exact: {u: x}}
evaluation: {grid: {x: 5, y: 5, z: 5}}
"""

RUNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "nlaaf": (HEAT, ()),
    "nlaaf-1": (HEAT, ("seed=1",)),
    "nlaaf-bare": (HEAT, ("slopes.recovery=false",)),
    "llaaf": (HEAT, ("slopes.kind=llaaf",)),
    "gaaf": (HEAT, ("slopes.kind=gaaf",)),
    "fixed": (HEAT, ("slopes.kind=fixed",)),
    "no-reference": (HEAT, ("reference=none",)),
    "line": (LINE, ()),
    "line-1": (LINE, ("seed=1",)),
    "plane": (PLANE, ()),
    "membrane": (MEMBRANE, ()),
    "space": (SPACE, ()),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of run files, `NAME.h5` for each of RUNS."""
    folder = tmp_path_factory.mktemp("runs")
    for name, (yaml, assignments) in RUNS.items():
        execute(plan_of(yaml, *assignments)).save(folder / f"{name}.h5")
    return folder


Read = Callable[..., list[RunData]]


@pytest.fixture
def read(folder: Path) -> Read:
    return lambda *names: [RunData.read(folder / f"{name}.h5") for name in names]


def stored(run: RunData, path: str) -> np.ndarray:
    with RunFile(run.path) as file:
        return file.array(path)


def with_field(run: RunData, values: np.ndarray, group: str = "solution") -> RunData:
    """The run with other values of `u`, in the order of the run data: the time last."""
    grid = getattr(run, group)
    return replace(run, **{group: replace(grid, fields=grid.fields | {"u": values})})


def panels(figure: Figure) -> list[Axes]:
    """The axes that are no colour bars."""
    return [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]


def line(axes: Axes, label: str) -> Line2D:
    (found,) = [line for line in axes.get_lines() if line.get_label() == label]
    return found


def mesh(axes: Axes) -> QuadMesh:
    (found,) = [artist for artist in axes.collections if isinstance(artist, QuadMesh)]
    return found


def legend_texts(figure: Figure) -> list[str]:
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def drawn(figure: Figure, folder: Path, *, laid_out: bool = False) -> None:
    """Draws it for real: what only fails then would fail here, warnings too. Laying out takes most of the time."""
    if not laid_out:
        figure.set_layout_engine("none")
    figures.save(figure, folder / "drawn.png", dpi=40)


# The spectrum.


@pytest.mark.parametrize(("lower", "upper"), [(0, 1), (-3, 3), (1e3, 1e3 + 0.5)])
@pytest.mark.parametrize("n", [64, 65])
@pytest.mark.parametrize("periods", [1, 5, 20])
def test_spectrum_of_a_sine_has_its_amplitude_at_its_frequency(
    lower: float, upper: float, n: int, periods: int
) -> None:
    x = np.linspace(lower, upper, n)
    frequency = periods / (upper - lower)
    found = amplitude_spectrum(0.7 + 2.5 * np.sin(2 * np.pi * frequency * x + 0.4), [x])
    assert found.frequencies[periods] == pytest.approx(frequency)
    assert found.amplitudes[periods] == pytest.approx(2.5)
    assert found.amplitudes[0] == pytest.approx(0.7), "the modulus of the mean"
    rest = np.delete(found.amplitudes, [0, periods])
    assert rest.max() < 1e-10
    assert found.frequencies[-1] == pytest.approx((n - 2) // 2 / (upper - lower))


@pytest.mark.parametrize("phase", [0.0, 0.4, np.pi / 2])
def test_spectrum_ends_below_the_frequency_of_which_a_grid_sees_a_part(phase: float) -> None:
    """Of a sine of four periods on nine points it would show anything from 0 to the amplitude."""
    x = np.linspace(0, 1, 9)
    for periods in (1, 2, 3):
        found = amplitude_spectrum(np.sin(2 * np.pi * periods * x + phase), [x])
        assert found.frequencies.tolist() == [0, 1, 2, 3]
        assert found.amplitudes[periods] == pytest.approx(1)


def test_spectrum_of_a_jump() -> None:
    # A sawtooth of height 1 has the amplitudes 1/(π k).
    x = np.linspace(0, 1, 4001)
    saw = amplitude_spectrum(x, [x])
    np.testing.assert_allclose(saw.amplitudes[1:6], 1 / (np.pi * np.arange(1, 6)), rtol=1e-4)


def test_spectrum_in_two_dimensions_sums_over_rings() -> None:
    x, y = np.linspace(0, 1, 33), np.linspace(-2, 2, 65)
    along = 1.5 * np.sin(2 * np.pi * 3 * x)[:, None] * np.ones_like(y)
    across = 0.5 * np.cos(2 * np.pi * 2.25 * y) * np.ones_like(x)[:, None]
    found = amplitude_spectrum(along + across, [x, y])
    assert found.frequencies[1] == 0.25, "the longest side tells the rings apart"
    at = dict(zip(found.frequencies, found.amplitudes, strict=True))
    assert at[3.0] == pytest.approx(1.5)
    assert at[2.25] == pytest.approx(0.5)
    assert sum(at.values()) == pytest.approx(2)
    oblique = np.cos(2 * np.pi * (3 * x[:, None] + 4 * y))
    found = amplitude_spectrum(oblique, [x, y])
    assert found.frequencies[int(found.amplitudes.argmax())] == 5, "|k| of (3, 4)"
    assert found.amplitudes.max() == pytest.approx(1)
    assert found.frequencies[-1] == 7.75, "y tells less than 8 cycles per unit"


def test_spectrum_on_a_grid_that_is_not_uniform() -> None:
    x = np.linspace(0, 1, 2001) ** 1.3
    found = amplitude_spectrum(np.sin(6 * np.pi * x), [x])
    assert found.amplitudes[3] == pytest.approx(1, rel=1e-3)


# Moments.


def test_moments_are_exact_where_the_spec_has_them_and_nearest_elsewhere(read: Read) -> None:
    (run,) = read("nlaaf")
    assert [moment.time for moment in moments(run)] == [5.25, 5.5]
    np.testing.assert_array_equal(moments(run)[0].fields["v"], stored(run, "slices/v")[0])
    np.testing.assert_array_equal(
        moments(run)[1].references["u"], stored(run, "slices/u_reference")[1]
    )
    exact, nearest = moments(run, [5.5, 5.4])
    np.testing.assert_array_equal(exact.fields["u"], stored(run, "slices/u")[1])
    assert nearest.time == pytest.approx(5 + 1 / 3)
    assert nearest.label == "t = 5.333"
    np.testing.assert_array_equal(nearest.fields["u"], stored(run, "solution/u")[1])
    np.testing.assert_array_equal(nearest.references["u"], stored(run, "reference/u")[1])
    assert len(moments(run, [5.98, 5.99])) == 1, "one panel for one time of the grid"
    with pytest.raises(
        UsageError, match=r"the time 7 is outside of .*nlaaf.h5, which goes from 5 to 6"
    ):
        moments(run, [7])
    with pytest.raises(UsageError, match="line.h5 has no time"):
        moments(read("line")[0], [0.5])
    fine = replace(
        run,
        solution=replace(run.solution, axes={"x": np.arange(9), "t": np.linspace(5, 6, 4)}),
        slices=None,
    )
    assert len(moments(fine)) == 2, "without slices quarters of the range, on a grid of four times"


def test_many_times(read: Read) -> None:
    (run,) = read("nlaaf")
    axes = {"x": run.solution.axes["x"], "t": np.linspace(5, 6, 9)}
    fields = {name: np.zeros((9, 9)) for name in ("u", "v")}
    both = fields | {f"{name}_reference": np.zeros((9, 9)) for name in fields}
    run = replace(
        run,
        slices=replace(run.slices, axes=axes, fields=both),
        solution=replace(run.solution, axes=axes, fields=fields),
    )
    assert [moment.time for moment in moments(run)] == [5, 5.375, 5.625, 6]
    with pytest.raises(UsageError, match="9 times are too many for one figure; pick at most 6"):
        moments(run, axes["t"].tolist())


# Solution.


def test_solution_over_space_and_time(
    read: Read, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    (run,) = read("nlaaf")
    figure = figures.solution_figure([run], unknown="v")
    field, reference, *slices = panels(figure)
    np.testing.assert_array_equal(mesh(field).get_array(), stored(run, "solution/v").T)
    np.testing.assert_array_equal(mesh(reference).get_array(), stored(run, "reference/v").T)
    assert mesh(field).get_rasterized()
    assert mesh(field).norm is mesh(reference).norm
    assert (field.get_xlabel(), field.get_ylabel(), field.get_xlim()) == ("t", "x", (5, 6))
    assert [axes.get_title() for axes in slices] == ["t = 5.25", "t = 5.5"]
    for i, axes in enumerate(slices):
        solution = line(axes, "N-LAAF (n = 5, with recovery)")
        np.testing.assert_array_equal(solution.get_xdata(), stored(run, "slices/x"))
        np.testing.assert_array_equal(solution.get_ydata(), stored(run, "slices/v")[i])
        np.testing.assert_array_equal(
            line(axes, "reference").get_ydata(), stored(run, "slices/v_reference")[i]
        )
        assert to_hex(line(axes, "reference").get_color()).upper() == REFERENCE_COLOR
        assert axes.get_xlabel() == "x"
    assert slices[0].get_ylabel() == "v"
    assert figure.get_suptitle() == snapshot
    assert legend_texts(figure) == ["reference", "N-LAAF (n = 5, with recovery)"]
    drawn(figure, tmp_path, laid_out=True)


def test_solutions_of_several_runs_and_unknowns(read: Read, tmp_path: Path) -> None:
    runs = read("nlaaf", "nlaaf-1", "fixed")
    figure = figures.solution_figure(runs)
    rows = [panels(figure)[i : i + 3] for i in range(0, 18, 3)]
    assert len(panels(figure)) == 18
    for (field, *slices), unknown, run in zip(rows, "uuuvvv", [*runs, *runs], strict=True):
        np.testing.assert_array_equal(mesh(field).get_array(), stored(run, f"solution/{unknown}").T)
        np.testing.assert_array_equal(
            line(slices[1], run.style.label).get_ydata(), stored(run, f"slices/{unknown}")[1]
        )
        assert slices[0].get_ylabel() == unknown
    assert len({row[1].get_ylim() for row in rows[:3]}) == 1
    headings = [part.get_suptitle() for part in figure.subfigs]
    error = runs[0].attributes["relative_l2"]
    assert headings[0].startswith("N-LAAF (n = 5, with recovery), seed 0, relative L2 error ")
    assert any(heading.endswith(f"seed 0, relative L2 error {error:.3g}") for heading in headings)
    assert headings[1].startswith("N-LAAF (n = 5, with recovery), seed 1")
    assert legend_texts(figure) == ["reference", "N-LAAF (n = 5, with recovery)", "fixed"], (
        "a method is named once"
    )
    drawn(figure, tmp_path, laid_out=True)


def test_solution_on_a_line(read: Read, tmp_path: Path) -> None:
    runs = read("line", "line-1")
    figure = figures.solution_figure(runs)
    for axes, run in zip(panels(figure), runs, strict=True):
        (unknown, reference) = (line(axes, label) for label in (run.style.label, "reference"))
        np.testing.assert_array_equal(unknown.get_ydata(), stored(run, "solution/u"))
        np.testing.assert_array_equal(reference.get_ydata(), stored(run, "reference/u"))
        assert (
            axes.get_title().splitlines()[1].startswith(f"seed {run.spec.seed}, relative L2 error ")
        )
    drawn(figure, tmp_path)


def test_solution_over_two_coordinates_in_space(read: Read, tmp_path: Path) -> None:
    (run,) = read("plane")
    figure = figures.solution_figure([run])
    field, reference = panels(figure)
    np.testing.assert_array_equal(mesh(field).get_array(), stored(run, "solution/u").T)
    np.testing.assert_array_equal(mesh(reference).get_array(), stored(run, "reference/u").T)
    assert (field.get_xlabel(), field.get_ylabel(), field.get_aspect()) == ("x", "y", 1)
    assert reference.get_title() == "reference"
    drawn(figure, tmp_path)


def test_solution_over_two_coordinates_and_time(read: Read, tmp_path: Path) -> None:
    (run,) = read("membrane")
    figure = figures.solution_figure([run], times=[0.3, 1])
    first, last, reference, _ = panels(figure)
    np.testing.assert_array_equal(mesh(first).get_array(), stored(run, "slices/u")[:, :, 0].T)
    np.testing.assert_array_equal(mesh(last).get_array(), stored(run, "solution/u")[:, :, 2].T)
    np.testing.assert_array_equal(
        mesh(reference).get_array(), stored(run, "slices/u_reference")[:, :, 0].T
    )
    assert [part.get_suptitle() for part in figure.subfigs][1] == "reference"
    assert [first.get_title(), last.get_title()] == ["t = 0.3", "t = 1"]
    drawn(figure, tmp_path, laid_out=True)


def test_solution_without_reference(read: Read, tmp_path: Path) -> None:
    figure = figures.solution_figure(read("no-reference"), unknown="u")
    field, *slices = panels(figure)
    assert field.get_title() == "solution"
    assert [len(axes.get_lines()) for axes in slices] == [1, 1]
    assert legend_texts(figure) == ["N-LAAF (n = 5, with recovery)"]
    drawn(figure, tmp_path)


# Frequency and error.


@pytest.mark.parametrize("name", ["nlaaf", "line", "plane", "membrane", "space"])
def test_frequency_content(read: Read, tmp_path: Path, name: str) -> None:
    (run,) = read(name)
    figure = figures.frequency_figure([run], unknown="u")
    at = moments(run)
    for axes, moment in zip(panels(figure), at, strict=True):
        for label, values in (
            ("reference", moment.references["u"]),
            (run.style.label, moment.fields["u"]),
        ):
            expected = amplitude_spectrum(values, moment.axes)
            np.testing.assert_array_equal(line(axes, label).get_xdata(), expected.frequencies[1:])
            np.testing.assert_array_equal(line(axes, label).get_ydata(), expected.amplitudes[1:])
        assert axes.get_yscale() == "log"
        assert axes.get_xlabel() == f"cycles per unit of {'x' if len(run.space) == 1 else 'length'}"
    assert panels(figure)[0].get_ylabel() == "amplitude of u"
    note = "opposite ends differ: their jump adds ∝ 1/f"  # the reference is no sine but in HEAT
    assert legend_texts(figure) == ["reference", run.style.label, *[note] * (name != "nlaaf")]
    drawn(figure, tmp_path)


def test_error_over_space_and_time(read: Read, tmp_path: Path) -> None:
    runs = read("nlaaf", "gaaf")
    figure = figures.error_figure(runs)
    assert len(panels(figure)) == 4
    for axes, run, unknown in zip(panels(figure), [*runs, *runs], "uuvv", strict=True):
        error = np.abs(stored(run, f"error/{unknown}").T)
        norm = mesh(axes).norm
        assert isinstance(norm, LogNorm)
        np.testing.assert_array_equal(
            mesh(axes).get_array(), np.where(error == 0, norm.vmin, error)
        )
        assert mesh(axes).get_rasterized()
    assert mesh(panels(figure)[0]).norm.vmax == max(
        np.abs(stored(run, "error/u")).max() for run in runs
    )
    bars = [axes.get_ylabel() for axes in figure.axes if axes.get_label() == "<colorbar>"]
    assert bars == ["|error of u|", "|error of v|"]
    drawn(figure, tmp_path)


def test_error_in_other_spaces(read: Read, tmp_path: Path) -> None:
    (run,) = read("line")
    (axes,) = panels(figures.error_figure([run]))
    np.testing.assert_array_equal(
        line(axes, run.style.label).get_ydata(), np.abs(stored(run, "error/u"))
    )
    assert (axes.get_yscale(), axes.get_ylabel()) == ("log", "|error of u|")
    (run,) = read("plane")
    (axes,) = panels(figures.error_figure([run]))
    np.testing.assert_array_equal(mesh(axes).get_array(), np.abs(stored(run, "error/u")).T)
    (run,) = read("membrane")
    figure = figures.error_figure([run])
    (axes,) = panels(figure)
    expected = np.abs(stored(run, "slices/u") - stored(run, "slices/u_reference"))[:, :, 0].T
    np.testing.assert_array_equal(mesh(axes).get_array(), expected)
    drawn(figure, tmp_path)


# Loss and slopes.


def test_loss_by_term(read: Read, tmp_path: Path) -> None:
    runs = read("nlaaf", "nlaaf-1", "nlaaf-bare", "fixed")
    figure = figures.loss_figure(runs)
    by_title = {axes.get_title(): axes for axes in panels(figure)}
    assert list(by_title) == [
        "loss without S(a)",
        "term 'a'",
        "term 'b'",
        "term 'start'",
        "term 'walls'",
        "slope recovery",
        "error against the reference",
    ]
    for title, name in (("term 'a'", "terms/a"), ("term 'start'", "terms/start")):
        for run, found in zip(runs, by_title[title].get_lines(), strict=True):
            np.testing.assert_array_equal(found.get_xdata(), stored(run, "history/iteration"))
            np.testing.assert_array_equal(found.get_ydata(), stored(run, f"history/{name}"))
        assert by_title[title].get_ylabel() == "mean square"
    recovery = by_title["slope recovery"].get_lines()
    assert len(recovery) == 2, "two of the four have S(a)"
    np.testing.assert_array_equal(
        recovery[0].get_ydata(), stored(runs[0], "history/terms/slope_recovery")
    )
    whole = by_title["loss without S(a)"].get_lines()
    expected = stored(runs[0], "history/total") - stored(runs[0], "history/terms/slope_recovery")
    np.testing.assert_allclose(whole[0].get_ydata(), expected, rtol=1e-5)
    np.testing.assert_allclose(whole[3].get_ydata(), stored(runs[3], "history/total"), rtol=1e-5)
    errors = by_title["error against the reference"].get_lines()
    monitored = stored(runs[0], "history/relative_l2")
    np.testing.assert_array_equal(errors[0].get_ydata(), monitored[np.isfinite(monitored)])
    assert legend_texts(figure) == ["N-LAAF (n = 5, with recovery)", "N-LAAF (n = 5)", "fixed"]
    colors = [to_hex(found.get_color()).upper() for found in whole]
    assert colors == [SLOPE_KINDS[kind].color for kind in ("nlaaf", "nlaaf", "nlaaf", "fixed")]
    assert [found.get_linestyle() for found in whole] == ["-", "-", "--", "-"]
    assert {axes.get_yscale() for axes in panels(figure)} == {"log"}
    assert [axes.get_xlabel() for axes in panels(figure)][4:] == ["iteration"] * 3
    assert figure.get_suptitle().endswith(", seeds 0, 1")
    drawn(figure, tmp_path, laid_out=True)


def test_slopes_of_every_kind(read: Read, tmp_path: Path) -> None:
    runs = read("nlaaf", "nlaaf-bare", "llaaf", "gaaf")
    figure = figures.slopes_figure(runs)
    by_neuron, bare, by_layer, one = panels(figure)
    assert one.get_ylim() == by_neuron.get_ylim()
    iteration = stored(runs[0], "history/iteration")
    for k in (1, 2):
        slopes = stored(runs[0], f"slopes/layer_{k}")
        mean, spread = slopes.mean(axis=1), slopes.std(axis=1)
        found = line(by_neuron, f"layer {k}")
        np.testing.assert_array_equal(found.get_xdata(), iteration)
        np.testing.assert_array_equal(found.get_ydata(), mean)
        band = [artist for artist in by_neuron.collections if isinstance(artist, PolyCollection)][
            k - 1
        ]
        edge = band.get_paths()[0].vertices
        assert edge[:, 1].max() == pytest.approx((mean + spread).max())
        assert edge[:, 1].min() == pytest.approx((mean - spread).min())
        np.testing.assert_array_equal(
            line(by_layer, f"layer {k}").get_ydata(), stored(runs[2], f"slopes/layer_{k}")[:, 0]
        )
        assert line(by_layer, f"layer {k}").get_color() == found.get_color()
    assert not by_layer.collections
    assert len(bare.collections) == 2
    np.testing.assert_array_equal(
        line(one, "all layers").get_ydata(), stored(runs[3], "slopes/layer_1")[:, 0]
    )
    assert legend_texts(figure) == [
        "layer 1",
        "layer 2",
        "all layers",
        "± 1 standard deviation of the neurons",
    ]
    assert [axes.get_title() for axes in panels(figure)][1:3] == [
        "N-LAAF (n = 5)\nseed 0",
        "L-LAAF (n = 5, with recovery)\nseed 0",
    ]
    assert by_layer.get_ylabel() == "n·a"
    drawn(figure, tmp_path, laid_out=True)


def test_a_method_has_one_colour_in_every_figure(read: Read) -> None:
    runs = read("gaaf", "llaaf")
    for draw in (figures.solution_figure, figures.frequency_figure, figures.loss_figure):
        figure = draw(runs)
        for run in runs:
            colors = {
                to_hex(found.get_color()).upper()
                for axes in panels(figure)
                for found in axes.get_lines()
                if found.get_label() == run.style.label
            }
            assert colors == {SLOPE_KINDS[run.spec.slopes.kind].color}, draw


# Comparison.


def test_comparison(tmp_path: Path) -> None:
    groups = [
        ErrorGroup(label="fixed", color="#000000", errors=(0.1, 0.3, 0.2), n_failed=1),
        ErrorGroup(
            label="N-LAAF (n = 10, with recovery)",
            color="#D55E00",
            errors=(1e-3, float("inf")),
            n_failed=1,
        ),
        ErrorGroup(label="none", color="#0072B2", errors=(), n_failed=2),
    ]
    figure = figures.comparison_figure(groups, title="Burgers")
    (axes,) = panels(figure)
    # Most runs of the second and third group failed: their median is no number, and no bar is drawn for it.
    dots, median, crosses, other_dots, other_crosses, no_dots, more_crosses = axes.get_lines()
    np.testing.assert_array_equal(dots.get_ydata(), [0.1, 0.3, 0.2])
    assert len(set(dots.get_xdata())) == 3
    assert median.get_ydata() == pytest.approx([0.25, 0.25])
    assert list(other_dots.get_ydata()) == [1e-3]
    assert not len(no_dots.get_xdata())
    assert [len(line.get_xdata()) for line in (crosses, other_crosses, more_crosses)] == [1, 2, 2]
    assert {line.get_marker() for line in (crosses, other_crosses, more_crosses)} == {"x"}
    assert crosses.get_transform() == axes.get_xaxis_transform()
    assert axes.get_yscale() == "log"
    assert axes.get_ylim()[1] > 0.3
    assert axes.get_ylabel() == "relative L2 error"
    assert [text.get_text() for text in axes.get_xticklabels()][
        1
    ] == "N-LAAF (n = 10,\nwith recovery)"
    assert legend_texts(figure) == ["one seed", "median", "failed"]
    drawn(figure, tmp_path, laid_out=True)
    long = [
        ErrorGroup(
            label=f"burgers: N-LAAF (n = {n}, with recovery)", color="#D55E00", errors=(0.1,)
        )
        for n in range(12)
    ]
    (axes,) = panels(figures.comparison_figure(long))
    assert {text.get_rotation() for text in axes.get_xticklabels()} == {35}
    assert axes.get_xticklabels()[3].get_text() == "burgers: N-LAAF (n = 3, with recovery)"
    exact = figures.comparison_figure([ErrorGroup(label="exact", color="#000000", errors=(0.0,))])
    assert exact.axes[0].get_lines()[0].get_ydata()[0] > 0
    assert legend_texts(exact) == ["one seed", "median"]
    drawn(exact, tmp_path)
    with pytest.raises(UsageError, match="nothing to compare"):
        figures.comparison_figure([])


# What cannot be drawn, and what is odd.


def test_runs_that_do_not_fit_together(read: Read) -> None:
    runs = read("nlaaf", "line")
    for draw in (
        figures.solution_figure,
        figures.frequency_figure,
        figures.error_figure,
        figures.loss_figure,
    ):
        with pytest.raises(
            RunFileError, match=r"line.h5 does not fit: it is of another problem than .*nlaaf.h5"
        ):
            draw(runs)
    for draw in (figures.loss_figure, figures.draw):
        with pytest.raises(UsageError, match="there is no run to draw"):
            draw([])


def test_runs_that_have_no_such_figure(read: Read) -> None:
    with pytest.raises(
        RunFileError, match=r"space.h5 cannot be drawn: it has 3 coordinates in space \(x, y, z\)"
    ):
        figures.solution_figure(read("space"))
    with pytest.raises(RunFileError, match="3 coordinates in space"):
        figures.error_figure(read("space"))
    with pytest.raises(RunFileError, match="no-reference.h5 cannot be drawn: it has no reference"):
        figures.error_figure(read("no-reference"))
    with pytest.raises(RunFileError, match="fixed.h5 cannot be drawn: its activation is fixed"):
        figures.slopes_figure(read("fixed"))
    assert [drawing.kind for drawing in figures.draw(read("space"))] == [
        "frequency",
        "loss",
        "slopes",
    ]
    assert [drawing.kind for drawing in figures.draw(read("no-reference"))] == [
        "solution",
        "frequency",
        "loss",
        "slopes",
    ]
    with pytest.raises(UsageError, match=r"the runs have no unknown 'w'. Unknowns: u, v."):
        figures.solution_figure(read("nlaaf"), unknown="w")
    with pytest.raises(
        UsageError,
        match="7 runs, each with 2 unknowns, were given, and one figure has room for 12 panels; pick fewer",
    ):
        figures.solution_figure(read("nlaaf") * 7)
    with pytest.raises(UsageError, match="13 runs were given"):
        figures.slopes_figure(read("nlaaf") * 13)
    figures.loss_figure(read("nlaaf") * 13)


def test_twelve_panels_are_drawn(read: Read, tmp_path: Path) -> None:
    runs = read("line") * 12
    figure = figures.solution_figure(runs)
    assert len(panels(figure)) == 12
    last = {axes.get_title().splitlines()[2] for axes in panels(figure)}
    assert last == {"line"}, "runs that are called the same are told apart by their files"
    drawn(figure, tmp_path)
    drawn(figures.slopes_figure(runs), tmp_path)


@pytest.mark.parametrize(
    ("what", "values"),
    [
        ("constant", np.full((9, 4), 3.0)),
        ("zero", np.zeros((9, 4))),
        ("not finite", np.full((9, 4), np.nan)),
        ("partly not finite", np.where(np.eye(9, 4) == 1, np.inf, 1.0)),
        ("huge", np.full((9, 4), 1e200) * np.eye(9, 4)),
        ("tiny", np.full((9, 4), 1e-310)),
    ],
)
def test_odd_fields_are_drawn(read: Read, tmp_path: Path, what: str, values: np.ndarray) -> None:
    (run,) = read("nlaaf")
    assert run.slices is not None
    slices = replace(run.slices, fields=run.slices.fields | {"u": values[:, :2]})
    odd = with_field(with_field(replace(run, slices=slices), values), values, "error")
    for draw in (figures.solution_figure, figures.frequency_figure, figures.error_figure):
        figure = draw([odd], unknown="u")
        drawn(figure, tmp_path)
        if what == "not finite" and draw is not figures.error_figure:
            assert "not finite" in [
                text.get_text() for axes in panels(figure) for text in axes.texts
            ]
    odd = replace(odd, reference=None, error=None, slices=None)
    drawn(figures.solution_figure([odd], unknown="u"), tmp_path)


def test_one_record_and_no_finite_loss(read: Read, tmp_path: Path) -> None:
    (run,) = read("nlaaf")
    first = replace(
        run.history,
        columns={name: values[:1] for name, values in run.history.columns.items()},
        terms={name: values[:1] for name, values in run.history.terms.items()},
        slopes=tuple(values[:1] for values in run.history.slopes),
    )
    once = replace(run, history=first)
    figure = figures.loss_figure([once])
    assert panels(figure)[0].get_lines()[0].get_marker() == "o", (
        "a line through one point is not seen"
    )
    drawn(figure, tmp_path)
    figure = figures.slopes_figure([once])
    assert panels(figure)[0].get_lines()[0].get_marker() == "o"
    drawn(figure, tmp_path)
    nothing = {name: values * np.nan for name, values in run.history.terms.items()}
    drawn(
        figures.loss_figure([replace(run, history=replace(run.history, terms=nothing))]), tmp_path
    )
    zero = {name: values * 0 for name, values in run.history.terms.items()}
    drawn(figures.loss_figure([replace(run, history=replace(run.history, terms=zero))]), tmp_path)


def test_grids_that_are_not_uniform(read: Read, tmp_path: Path) -> None:
    (run,) = read("plane")
    axes = {"x": np.array([0, 0.1, 0.3, 0.7, 1]), "y": run.solution.axes["y"] ** 2}
    uneven = replace(run, solution=replace(run.solution, axes=axes))
    figure = figures.solution_figure([uneven])
    corners = mesh(panels(figure)[0]).get_coordinates()
    np.testing.assert_allclose(corners[0, 1:-1, 0], [0.05, 0.2, 0.5, 0.85])
    drawn(figure, tmp_path)


def test_limits() -> None:
    assert linear_limits([np.array([0, 9e9])], [np.array([-1.0, 1.0])]) == (-1, 3), (
        "a blown-up run does not hide it"
    )
    assert linear_limits([np.array([np.nan])], []) == (0, 1)
    assert linear_limits([np.array([2.0, 2.0])], []) == (1.8, 2.2)
    assert log_limits([np.zeros(3)]) == (1e-17, 1e-15)
    assert log_limits([np.array([0, 1e-30, 1])], decades=6) == (1e-6, 1)
    scale = field_scale([np.array([-0.5, 9])], [np.array([-1.0, 1.0])])
    assert (scale.norm.vmin, scale.norm.vmax, scale.extend, scale.colormap.name) == (
        -3,
        3,
        "max",
        "RdBu_r",
    )
    assert field_scale([np.array([0.0, 1.0])], []).colormap.name == "viridis"
    scale = error_scale([np.array([0, 1e-3, 2.0])])
    assert (scale.norm.vmin, scale.norm.vmax) == (1e-3, 2.0)


# The command.


@pytest.fixture
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.iterdir())


@pytest.mark.usefixtures("_here")
def test_plot_writes_all_kinds_that_suit(laaf: Laaf, folder: Path, tmp_path: Path) -> None:
    done = laaf("plot", folder / "line.h5", "--output", "new/line.png", "--dpi", 40)
    assert (done.code, done.out) == (0, "")
    kinds = ["solution", "frequency", "error", "loss", "slopes"]
    assert done.err == f"written: new/line.png ({', '.join(kinds)})\n"
    assert names(tmp_path / "new") == ["line.png"]
    height, width, _ = image.imread("new/line.png").shape
    single = laaf("plot", folder / "line.h5", "-o", "loss.png", "-k", "loss", "--dpi", 40, "-q")
    assert (single.code, single.out + single.err) == (0, "")
    assert width == 40 * 7.2
    assert height > 3 * image.imread("loss.png").shape[0]


@pytest.mark.usefixtures("_here")
def test_plot_writes_pages(laaf: Laaf, folder: Path) -> None:
    assert laaf("plot", folder / "space.h5", "-o", "space.pdf").code == 0
    assert Path("space.pdf").read_bytes().count(b"/Type /Page ") == 3


@pytest.mark.usefixtures("_here")
def test_plot_writes_a_folder(laaf: Laaf, folder: Path, tmp_path: Path) -> None:
    done = laaf("plot", folder / "space.h5", "-o", "space", "--dpi", 30)
    kinds = ["frequency", "loss", "slopes"]
    assert done.err.splitlines() == [f"written: space/{kind}.png" for kind in kinds]
    assert names(tmp_path / "space") == [f"{kind}.png" for kind in kinds]


@pytest.mark.usefixtures("_here")
def test_plot_refuses_several_kinds_for_a_type_of_one(
    laaf: Laaf, folder: Path, tmp_path: Path
) -> None:
    done = laaf("plot", folder / "space.h5", "-o", "space.svg", "--quiet")
    assert (done.code, done.err) == (
        ExitCode.USAGE,
        "error: space.svg holds one figure, and there are 3: choose one, or a file of type pdf, png, jpg, jpeg, tif, "
        "tiff or webp, or a folder (a name without an ending)\n",
    )
    assert names(tmp_path) == []


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("ending", ["png", "pdf", "svg", "PNG", "eps", "jpg"])
def test_plot_writes_one_kind_as_named(
    laaf: Laaf, folder: Path, tmp_path: Path, ending: str
) -> None:
    (tmp_path / f"e.{ending}").write_text("old")
    done = laaf(
        "plot",
        folder / "nlaaf.h5",
        "-o",
        f"e.{ending}",
        "--kind",
        "error",
        "--unknown",
        "u",
        "--dpi",
        30,
    )
    assert (done.code, done.err) == (0, f"written: e.{ending}\n")
    assert names(tmp_path) == [f"e.{ending}"]
    assert (tmp_path / f"e.{ending}").stat().st_size > 1000


@pytest.mark.usefixtures("_here")
def test_plot_takes_kinds_times_and_folders(laaf: Laaf, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    for name in ("nlaaf", "fixed"):
        (tmp_path / "runs" / f"{name}.h5").symlink_to(folder / f"{name}.h5")
    done = laaf(
        "plot",
        "runs",
        "-o",
        "a.png",
        "-k",
        "loss,slopes",
        "-k",
        "solution",
        "--times",
        "6",
        "--unknown",
        "u",
        "--dpi",
        30,
    )
    assert done.code == 0
    assert done.err.splitlines() == [
        "warning: not in the figure of kind 'slopes': runs/fixed.h5: its activation is fixed, so it has no slopes",
        "written: a.png (loss, slopes, solution)",
    ]


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("{}/nlaaf.h5", "-o", "a.png", "-k", "los"), 2),
        (("{}/nlaaf.h5", "-o", "a.png", "-k", "x"), 2),
        (("{}/nlaaf.h5", "-o", "a.pgn"), 2),
        (("{}/nlaaf.h5", "-o", "/proc/none/a.png"), 2),
        (("{}/none.h5", "-o", "a.png"), 4),
        (("{}/nlaaf.h5", "{}/line.h5", "-o", "a.png"), 4),
        (("{}/no-reference.h5", "-o", "a.png", "-k", "error"), 4),
        (("{}/space.h5", "-o", "a.png", "-k", "solution"), 4),
        (("{}/nlaaf.h5", "-o", "a.png", "--times", "5.1,x"), 2),
        (("{}/nlaaf.h5", "-o", "a.png", "--times", "nan"), 2),
        (("{}/nlaaf.h5", "-o", "a.png", "--times", "9"), 2),
        (("{}/nlaaf.h5", "-o", "a.png", "--unknown", "q"), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_plot_says_what_is_wrong(
    laaf: Laaf,
    folder: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    code: int,
    snapshot: SnapshotAssertion,
) -> None:
    done = laaf("plot", *(text.replace("{}", str(folder)) for text in arguments))
    assert done.code == code
    shown = done.err.replace(str(folder), "FOLDER")
    assert re.sub("Types: .*", "Types: …", shown) == snapshot
    assert names(tmp_path) == []


@pytest.mark.usefixtures("_here")
def test_plot_refuses_what_is_no_run_file_or_no_place_to_write(
    laaf: Laaf, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "text.h5").write_text("hello")
    done = laaf("plot", "text.h5", "-o", "a.png")
    assert (done.code, "cannot be read as HDF5" in done.err) == (ExitCode.RUN_FILE, True)
    (tmp_path / "b.png").mkdir()
    done = laaf("plot", folder / "nlaaf.h5", "-o", "b.png")
    assert (done.code, done.err) == (
        ExitCode.USAGE,
        "error: b.png cannot be written: it is not an ordinary file\n",
    )
    (tmp_path / "text").write_text("hello")
    done = laaf("plot", folder / "nlaaf.h5", "-o", "text")
    assert (done.code, done.err) == (
        ExitCode.USAGE,
        "error: text is a file; a name without an ending is that of a folder\n",
    )
    done = laaf("plot", folder / "nlaaf.h5", "-o", "text.h5/a.png", "-k", "loss")
    assert done.code == ExitCode.USAGE
    assert "text.h5/a.png cannot be written: " in done.err


@pytest.mark.usefixtures("_here")
def test_plot_without_display(laaf: Laaf, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(mpl.rcParams, "backend", "agg")
    done = laaf("plot", folder / "nlaaf.h5")
    assert done.code == ExitCode.USAGE
    assert done.err.startswith("error: no window can be opened")
    assert "--output takes the name of a file, as in --output run.png" in done.err


def test_plot_opens_windows(laaf: Laaf, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a display every figure gets a window of pyplot, which shows them and waits."""
    from matplotlib import pyplot as plt

    shown: list[list[str]] = []

    def show(*, block: bool) -> None:
        assert block
        shown.append([plt.figure(number).get_suptitle() for number in plt.get_fignums()])

    monkeypatch.setattr(figures, "require_window", lambda: None)
    monkeypatch.setattr(plt, "show", show)
    done = laaf("plot", folder / "line.h5", "--kind", "loss,slopes")
    plt.close("all")
    assert done.code == 0
    assert shown == [["Line: N-LAAF (n = 10, with recovery), seed 0", "Line"]]


def test_help_names_every_kind(laaf: Laaf) -> None:
    done = laaf("plot", "--help")
    assert "solution, frequency, error, loss, constants or slopes" in " ".join(
        done.out.replace("│", " ").split()
    )
    assert list(figures.KINDS) == ["solution", "frequency", "error", "loss", "constants", "slopes"]


def test_a_title_in_any_script_is_no_fault(read: Read, tmp_path: Path) -> None:
    (run,) = read("line")
    title = "熱 " + "very long " * 30 + "\n$x^{"
    drawn(
        figures.loss_figure([replace(run, attributes={**run.attributes, "title": title})]), tmp_path
    )
    assert run.title == "Line"


def test_a_long_title_is_broken_into_lines(read: Read, tmp_path: Path) -> None:
    (run,) = read("line")
    title = "A title of more words than one line holds, and of fewer than three lines hold at this width"
    figure = figures.loss_figure([replace(run, attributes={**run.attributes, "title": title})])
    shown = figure.get_suptitle()
    assert " ".join(shown.split()) == f"{title}: N-LAAF (n = 10, with recovery), seed 0"
    assert shown.count("\n") == 1
    drawn(figure, tmp_path, laid_out=True)


# What was observed, and where a phase begins.

MEASURED = """
coordinates: {t: [0, 1], x: [0, 2]}
unknowns: [u, v]
learn: {k: {start: 1, truth: 2}}
equations: {a: u_t = k*u_xx, b: v_t = u}
conditions:
  start: {where: t = 0, equation: [u = x, v = 0]}
  walls: {where: boundary, equation: u = x}
data: {target: {u: 1 + x}, points: 50}
points: {interior: 20}
network: {hidden: [4]}
training: [{iterations: 3}, {optimizer: lbfgs, iterations: 2}]
evaluation: {times: [0.5]}
"""


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    path = tmp_path_factory.mktemp("measured") / "a.h5"
    execute(plan_of(MEASURED)).save(path)
    return RunData.read(path)


def test_what_was_observed_is_drawn(measured: RunData, tmp_path: Path) -> None:
    points = stored(measured, "checkpoint/points/data")
    t, x = points.T
    assert len(points) == 50
    figure = figures.solution_figure([measured], unknown="u")
    field, *_ = panels(figure)
    marks = line(field, "observed")
    np.testing.assert_array_equal(marks.get_xdata(), t)
    np.testing.assert_array_equal(marks.get_ydata(), x)
    near = replace(measured, slices=None)
    time = float(t[0])
    one = near.observed("u", time)
    assert one is not None
    here = np.abs(t - time) <= 0.01
    np.testing.assert_array_equal(one.points[:, 0], x[here])
    np.testing.assert_allclose(one.values, 1 + x[here])
    assert measured.observed("v") is None
    assert "observed" in legend_texts(figure)
    drawn(figure, tmp_path)


def test_observations_in_slices_are_within_the_axes(measured: RunData, tmp_path: Path) -> None:
    times = stored(measured, "checkpoint/points/data")[:, 0]
    axis = measured.solution.axes["t"]
    time = float(axis[np.abs(axis[:, None] - times).min(axis=1).argmin()])
    figure = figures.solution_figure([measured], [time], unknown="u")
    *_, slice_ = panels(figure)
    values = line(slice_, "observed").get_ydata()
    low, high = slice_.get_ylim()
    assert np.all((low <= values) & (values <= high))
    assert values.min() >= 1
    drawn(figure, tmp_path)


def test_the_loss_tells_where_a_phase_begins(measured: RunData, read: Read, tmp_path: Path) -> None:
    assert measured.phase_starts == [3]
    figure = figures.loss_figure([measured])
    for axes in panels(figure):
        (marks,) = axes.collections
        assert [path[:, 0].tolist() for path in marks.get_segments()] == [[3, 3]]
    assert legend_texts(figure)[-1] == "another phase begins"
    drawn(figure, tmp_path)
    assert legend_texts(figures.loss_figure(read("line"))) == ["N-LAAF (n = 10, with recovery)"]


def test_the_interval_of_a_constant_is_drawn_at_its_end(measured: RunData, tmp_path: Path) -> None:
    run = replace(measured, intervals={"lower_k": 0.5, "upper_k": 3.0})
    figure = figures.constants_figure([run])
    (axes,) = panels(figure)
    bar = line(axes, "95 % interval")
    assert list(bar.get_xdata()) == [5, 5]
    assert list(bar.get_ydata()) == [0.5, 3.0]
    low, high = axes.get_ylim()
    assert (low < 0.5, high > 2) == (True, True)
    wide = replace(measured, intervals={"lower_k": -1e6, "upper_k": 1e6})
    low, high = figures.constants_figure([wide]).axes[0].get_ylim()
    assert low > -1, "a wide interval leaves the history legible"
    assert high < 4
    assert legend_texts(figure) == ["N-LAAF (n = 10, with recovery)", "truth", "95 % interval"]
    drawn(figure, tmp_path)
