"""Domains, samplers, points and the bundled problem files."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from conftest import plan_of
from syrupy.assertion import SnapshotAssertion

from laaf_cli.errors import SpecError
from laaf_cli.expression import NUMPY, Field, Node, differentiate, evaluate
from laaf_cli.problem import SAMPLERS, Domain, Problem, build, constant_loss, grid_points
from laaf_cli.problem.samplers import draw
from laaf_cli.problem.tables import Rows, Table, TableError, as_rows, read_table
from laaf_cli.spec import bundled, load

SHIFTED = """
coordinates: {x: [2, 5], y: [-7, -6.5], t: [10, 20]}
unknowns: [u]
equations: {heat: u_t = laplacian(u)}
conditions:
  start: {where: t = 10, equation: u = x, points: 31}
  edge: {where: boundary, equation: u = 0, points: 10}
points: {interior: 500}
"""


def problem(yaml: str, *assignments: str) -> Problem:
    return plan_of(yaml, *assignments).problem


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_samplers_fill_a_shifted_box(sampler: str) -> None:
    points = problem(SHIFTED, f"points.sampler={sampler}").draw_points(3)
    lower, upper = np.array([2, -7, 10]), np.array([5, -6.5, 20])
    inside = points["heat"].points
    assert len(inside) == (343 if sampler == "grid" else 500)
    assert np.all((inside >= lower) & (inside <= upper))
    np.testing.assert_allclose(
        inside.mean(0), (lower + upper) / 2, atol=0.15 * (upper - lower).max() / 2
    )
    assert np.all(np.ptp(inside, axis=0) > 0.9 * (upper - lower))
    assert np.all(points["start"].points[:, 2] == 10)


@pytest.mark.parametrize(
    "sampler", [name for name, row in SAMPLERS.items() if not row.is_deterministic]
)
def test_faces_share_points_evenly(sampler: str) -> None:
    edge = problem(SHIFTED, f"points.sampler={sampler}").draw_points(0)["edge"].points
    counts = [
        int(np.sum(edge[:, axis] == value)) for axis, value in ((0, 2), (0, 5), (1, -7), (1, -6.5))
    ]
    assert counts == [3, 3, 2, 2]


def test_latin_hypercube_has_one_point_per_stratum() -> None:
    points = draw("latin-hypercube", 50, 3, np.random.default_rng(0))
    for column in points.T:
        assert sorted(np.floor(column * 50)) == list(range(50))


def test_a_face_of_a_line_is_one_point() -> None:
    line = "coordinates: {x: [0, 2]}\nunknowns: [u]\nequations: {e: u_xx = 1}\nconditions: {ends: {where: boundary, equation: u = 0}}"
    assert problem(line).draw_points(0)["ends"].points.tolist() == [[0.0], [2.0]]


def test_points_depend_on_the_seed_and_the_name_alone() -> None:
    first, again, other = (
        problem(SHIFTED, *a).draw_points(s)
        for a, s in (((), 1), (("slopes.kind=fixed",), 1), ((), 2))
    )
    assert np.array_equal(first["heat"].points, again["heat"].points)
    assert not np.array_equal(first["heat"].points, other["heat"].points)
    more = problem(SHIFTED, "conditions.inside={at: {t: 15}, equation: u = 1}").draw_points(1)
    assert np.array_equal(first["edge"].points, more["edge"].points), (
        "a new condition must not move the points of others"
    )


def test_equations_of_a_system_share_their_points() -> None:
    system = "coordinates: {x: [0, 1]}\nunknowns: [u, v]\nequations: {a: u_x = v, b: v_x = -u}\nconditions: {c: {where: x = 0, equation: [u = 0, v = 1]}}"
    points = problem(system).draw_points(0)
    assert points["a"] is points["b"]


def test_grid_has_both_ends() -> None:
    domain = Domain(coordinates=("x", "t"), lower=(-1.0, 3.0), upper=(1.0, 4.0))
    axes = domain.grid((3, 2))
    assert grid_points(axes).tolist() == [[-1, 3], [-1, 4], [0, 3], [0, 4], [1, 3], [1, 4]]


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        (
            "equations.heat=u_tt = laplacian(u)",
            "Only 1 initial condition at t = 10: order 2 needs 2.",
        ),
        (
            "conditions.edge={where: [x = 2, y = -7, y = -6.5], equation: u = 0}",
            "Only 1 boundary condition in x: order 2 needs 2.",
        ),
    ],
)
def test_missing_conditions_are_warned_of(change: str, warning: str) -> None:
    assert warning in problem(SHIFTED, change).warnings
    assert problem(SHIFTED, "conditions.start.equation=u = 0").warnings == ()


SUBSCRIPTS = """
coordinates: {r: [0, 1], t: [0, 1]}
unknowns: [c_s, u]
constants: {D: 0.1, D_s: 0.2, u_0: 3}
learn: {k_1: 0.5}
equations:
  a: "c_s_t = D*c_s_rr + D(D_s*c_s_r, r)"
  b: u_t = k_1*u_rr + u_0
conditions:
  start: {where: t = 0, equation: [c_s = cos(pi*r), u = u_0]}
  edge: {where: [r = 0, r = 1], equation: [c_s_r = 0, u = u_0]}
  known: {at: {r: 0.5, t: 1}, equation: u = 3.1}
"""


def test_names_with_subscripts() -> None:
    made = problem(SUBSCRIPTS)
    residuals = {term.name: term.residuals[0] for term in made.terms}
    values = {
        Field(name, orders): np.array([value])
        for name, orders, value in (
            ("c_s", (0, 1), 7.0),
            ("c_s", (2, 0), 10.0),
            ("u", (0, 1), 5.0),
            ("u", (2, 0), 2.0),
        )
    }
    assert evaluate(residuals["a"], {}, values, NUMPY) == pytest.approx(7 - 0.3 * 10)
    assert evaluate(residuals["b"], {"k_1": np.array([0.5])}, values, NUMPY) == pytest.approx(1)
    assert made.learned["k_1"].start == 0.5


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("D_s", "u_rt", "'u_rt' is the derivative of 'u'"),
        ("k_1", "u_n", "'u_n' is the derivative of 'u'"),
        ("{r:", "{r_1:", "'r_1' is not a name"),
        ("{r:", "{D:", "'D' is already the derivative"),
        ("D_s", "D__s", "'D__s' is not a name"),
    ],
)
def test_names_that_are_derivatives(old: str, new: str, what: str) -> None:
    with pytest.raises(SpecError) as caught:
        problem(SUBSCRIPTS.replace(old, new))
    assert what in str(caught.value)


def test_what_misses_at_the_end_is_reported_for_the_end() -> None:
    end = "conditions.start.where=t = 20"
    assert (
        "Only 1 final condition at t = 20: order 2 needs 2."
        in problem(SHIFTED, "equations.heat=u_tt = laplacian(u)", end).warnings
    )
    assert (
        problem(
            SHIFTED, "equations.heat=-u_t = laplacian(u)", end, "conditions.start.equation=u = 0"
        ).warnings
        == ()
    )


def test_constant_loss_by_hand() -> None:
    # u' = 1 + u at all points and u(0) = 3: J_c = (1 + c)² + 4 (c − 3)² is least at c = 11/5.
    yaml = "coordinates: {x: [0, 2]}\nunknowns: [u]\nequations: {e: u_x = 1 + u}\nconditions: {c: {where: x = 0, equation: u = 3, weight: 4}}"
    found = problem(yaml)
    assert constant_loss(found, found.draw_points(0)) == pytest.approx(
        3.2**2 + 4 * 0.8**2, rel=1e-9
    )


def test_constant_loss_of_what_is_never_finite() -> None:
    yaml = "coordinates: {x: [0, 2]}\nunknowns: [u]\nequations: {e: u_x = log(-u**2 - 1)}"
    found = problem(yaml)
    assert np.isnan(constant_loss(found, found.draw_points(0)))


def test_constant_loss_from_where_derivatives_are_infinite() -> None:
    # The residual is sqrt(c) + 1 − u_x = sqrt(c) + 1: at 0 it is 1, and its derivative infinite.
    yaml = (
        "coordinates: {x: [0, 2]}\nunknowns: [u]\nequations: {e: u_x = sqrt(u) + 1}\n"
        "conditions: {c: {where: x = 0, equation: u = 0, weight: 4}}"
    )
    found = problem(yaml)
    assert constant_loss(found, found.draw_points(0)) == pytest.approx(1)


def derivative(tree: Node, orders: tuple[int, ...], coordinates: tuple[str, ...]) -> Node:
    for coordinate, order in zip(coordinates, orders, strict=True):
        for _ in range(order):
            tree = differentiate(tree, coordinate, coordinates)
    return tree


def bundled_problem(name: str) -> Problem:
    """A bundled problem, without its reference, which can take a while."""
    return build(load(bundled.find(name)))[1]


CLOSED = [name for name in bundled.names() if bundled_problem(name).closed_form]


@pytest.mark.parametrize("name", CLOSED)
def test_closed_forms_solve_their_problem(name: str) -> None:
    """A wrong sign in a problem file cannot survive this."""
    found = bundled_problem(name).at_truth()
    assert found.closed_form is not None
    for term in found.terms:
        if term.kind == "data":
            continue
        given = term.region.draw(found.domain, np.random.default_rng(5))
        symbols = dict(zip(found.domain.coordinates, given.points.T, strict=True)) | dict(
            given.symbols
        )
        values = {}
        for field in term.fields:
            tree = derivative(
                found.closed_form[field.unknown], field.orders, found.domain.coordinates
            )
            values[field] = evaluate(tree, symbols, {}, NUMPY)
        for residual in term.residuals:
            off = np.broadcast_to(evaluate(residual, symbols, values, NUMPY), len(given))
            if given.combination is not None:
                off = off.reshape(-1, len(given.combination)) @ given.combination
            np.testing.assert_allclose(off, 0, atol=1e-10, err_msg=term.name)


def test_bundled_problems_say_where_they_come_from() -> None:
    assert {"burgers", "discontinuous", "heat", "poisson", "wave"} <= set(bundled.names())
    for name in bundled.names():
        spec = build(load(bundled.find(name)))[0]
        assert spec.title
        assert spec.source
        assert spec.reference.kind != "none"


X, T = np.linspace(0, 1, 5), np.linspace(2, 3, 4)
U = np.sin(X)[:, None] * T


def save(path: Path, **arrays: np.ndarray) -> Path:
    match path.suffix:
        case ".npz":
            np.savez(path, **arrays)
        case ".mat":
            scipy.io.savemat(path, arrays)
        case ".h5":
            with h5py.File(path, "w") as file:
                for name, array in arrays.items():
                    file[name] = array
    return path


@pytest.mark.parametrize("suffix", [".npz", ".mat", ".h5"])
@pytest.mark.parametrize("transposed", [False, True])
def test_grids_are_read_in_any_order(tmp_path: Path, suffix: str, transposed: bool) -> None:
    path = save(
        tmp_path / f"a{suffix}",
        x=X[:, None],
        t=T[::-1],
        usol=U[:, ::-1].T if transposed else U[:, ::-1],
    )
    table = read_table(path, ("x", "t"), ("u",), {"u": "usol"})
    assert isinstance(table, Table)
    np.testing.assert_array_equal(table.fields["u"], U)
    np.testing.assert_array_equal(table.axes[1], T)


def test_columns_that_fill_a_grid_become_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    points = grid_points((X, T))
    shuffled = np.random.default_rng(0).permutation(len(points))
    rows = [f"{x},{t},{np.sin(x) * t}" for x, t in points[shuffled]]
    path.write_text("\n".join(["x, t, u", *rows]) + "\n")
    table = read_table(path, ("x", "t"), ("u",), {})
    assert isinstance(table, Table)
    np.testing.assert_allclose(table.fields["u"], U, rtol=1e-15)
    assert len(as_rows(table).points) == 20
    path.write_text("\n".join(["x, t, u", *rows[:-1]]) + "\n")
    assert isinstance(read_table(path, ("x", "t"), ("u",), {}), Rows)


@pytest.mark.parametrize(
    ("suffix", "arrays"),
    [
        (".npz", {"x": X, "u": X}),
        (".npz", {"x": X, "t": T, "u": U[:-1]}),
        (".npz", {"x": X, "t": T, "u": U * np.nan}),
        (".npz", {"x": X, "t": T, "u": U.astype(str)}),
        (".mat", {"x": X, "t": T, "u": U * 1j}),
        (".h5", {"x": X, "t": np.array([2, 2, 3, 4.0]), "u": U}),
    ],
)
def test_tables_that_do_not_fit(
    tmp_path: Path, suffix: str, arrays: dict[str, np.ndarray], snapshot: SnapshotAssertion
) -> None:
    path = save(tmp_path / f"a{suffix}", **arrays)
    with pytest.raises(TableError) as caught:
        read_table(path, ("x", "t"), ("u",), {})
    assert str(caught.value).replace(str(path), "FILE") == snapshot


def test_pickles_are_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=X, t=T, u=np.array([{"a": 1}], dtype=object))
    with pytest.raises(TableError, match="holds Python objects, which are not read"):
        read_table(path, ("x", "t"), ("u",), {})


def test_external_links_are_not_followed(tmp_path: Path) -> None:
    save(tmp_path / "b.h5", u=U)
    path = save(tmp_path / "a.h5", x=X, t=T)
    with h5py.File(path, "a") as file:
        file["u"] = h5py.ExternalLink(str(tmp_path / "b.h5"), "/u")
    with pytest.raises(TableError, match="u in .* is a link, and those are not followed"):
        read_table(path, ("x", "t"), ("u",), {})


@pytest.mark.parametrize("suffix", [".npz", ".mat", ".h5"])
def test_damaged_tables(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"not what it says")
    with pytest.raises(TableError, match="cannot be read as"):
        read_table(path, ("x", "t"), ("u",), {})
    whole = save(path, x=X, t=T, u=U).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TableError, match="cannot be read as"):
        read_table(path, ("x", "t"), ("u",), {})


def test_csv_with_words(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x,t,u\n0,0,1\n0,one,2\n")
    with pytest.raises(
        TableError, match=r"line 3 of .*, column 2 \('t'\): found 'one', expected a number"
    ):
        read_table(path, ("x", "t"), ("u",), {})
