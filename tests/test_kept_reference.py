"""References that are kept: read bit for bit, for this problem and these points alone, within the room there is."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from conftest import Laaf, plan_of

from laaf_cli.references import Reference
from laaf_cli.references.stationary.boundary_value import BoundaryValue
from laaf_cli.runs import kept_reference
from laaf_cli.runs.kept_reference import KeptReference, cache_folder

SPEC = """
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {balance: u_xx = -sin(3*x)}
conditions: {walls: {where: boundary, equation: u = 0}}
reference: spectral
network: {hidden: [4]}
points: {interior: 20}
"""
OTHER = SPEC.replace("sin", "cos")
POINTS = np.linspace(0, 1, 11)[:, None]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where references are kept, with nothing in it."""
    monkeypatch.setenv("LAAF_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "references"


@pytest.fixture
def solved(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many points the solver was asked for, each time that it was."""
    asked: list[int] = []
    evaluate = BoundaryValue.evaluate

    def counting(reference: BoundaryValue, points: np.ndarray) -> object:
        asked.append(len(points))
        return evaluate(reference, points)

    monkeypatch.setattr(BoundaryValue, "evaluate", counting)
    return asked


def reference(text: str = SPEC) -> Reference:
    made = plan_of(text).reference
    assert made is not None
    return made


def kept(folder: Path) -> list[Path]:
    return sorted(folder.glob("*"))


def test_what_is_kept_is_read_bit_for_bit(folder: Path, solved: list[int]) -> None:
    first = reference().evaluate(POINTS)
    assert len(kept(folder)) == 1
    again = reference().evaluate(POINTS)
    assert solved == [11]
    assert again.fields["u"].tobytes() == first.fields["u"].tobytes()
    assert (again.error_estimate, again.wall_time_s) == (first.error_estimate, first.wall_time_s)


def test_other_problems_and_other_points_are_solved(folder: Path, solved: list[int]) -> None:
    first = reference().evaluate(POINTS)
    other = reference(OTHER).evaluate(POINTS)
    half = reference().evaluate(POINTS[::2])
    nearly = POINTS.copy()
    nearly[5] = np.nextafter(nearly[5], 1)
    reference().evaluate(nearly)
    assert solved == [11, 11, 6, 11]
    assert len(kept(folder)) == 4
    assert np.abs(other.fields["u"] - first.fields["u"]).max() > 0.01
    np.testing.assert_allclose(half.fields["u"], first.fields["u"][::2], rtol=0, atol=1e-14)


def test_other_code_and_other_data_are_solved(
    folder: Path, solved: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reference().evaluate(POINTS)
    monkeypatch.setattr(BoundaryValue, "fingerprint", "of a file")
    reference().evaluate(POINTS)
    monkeypatch.setattr(kept_reference, "_code", lambda: "changed")
    reference().evaluate(POINTS)
    assert solved == [11, 11, 11]
    assert len(kept(folder)) == 3


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)


def _no_facts(path: Path) -> None:
    np.savez(path, field=np.zeros(11))


def _too_few_values(path: Path) -> None:
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | {"field u": np.zeros(10)})


def _objects(path: Path) -> None:
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | {"field u": np.array([None] * 11)})


@pytest.mark.parametrize("damage", [_truncate, _empty, _flip, _no_facts, _too_few_values, _objects])
def test_a_damaged_file_is_solved_again(folder: Path, solved: list[int], damage: object) -> None:
    first = reference().evaluate(POINTS)
    (path,) = kept(folder)
    damage(path)  # type: ignore[operator]
    again = reference().evaluate(POINTS)
    assert solved == [11, 11]
    assert again.fields["u"].tobytes() == first.fields["u"].tobytes()
    reference().evaluate(POINTS)
    assert solved == [11, 11], "the file has been replaced"


def test_room_is_made_by_removing_the_oldest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in (3, 4, 5):
        before = set(kept(folder))
        reference().evaluate(POINTS[:n])
        (path,) = set(kept(folder)) - before
        os.utime(path, (n, n))
    oldest, middle, newest = sorted(kept(folder), key=lambda path: path.stat().st_mtime)
    other = folder / "notes.txt"
    other.write_text("not a reference")
    size = newest.stat().st_size
    # The seconds that each took are written with more digits or fewer.
    monkeypatch.setattr(kept_reference, "MOST_BYTES", 3 * size + size // 2)
    reference().evaluate(POINTS[:6])
    assert not oldest.exists()
    assert middle.exists()
    assert newest.exists()
    assert other.exists()
    assert len(kept(folder)) == 4


def test_a_folder_that_cannot_be_written_is_no_error(folder: Path, solved: list[int]) -> None:
    folder.parent.write_text("in the way")
    for _ in range(2):
        assert np.isfinite(reference().evaluate(POINTS).fields["u"]).all()
    assert solved == [11, 11]


def test_nothing_is_kept_where_the_variable_is_empty(
    tmp_path: Path, solved: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAAF_CACHE_DIR", "")
    assert cache_folder() is None
    for _ in range(2):
        assert isinstance(reference(), BoundaryValue)
        reference().evaluate(POINTS)
    assert solved == [11, 11]
    assert kept(tmp_path) == []


def test_without_the_variable_the_cache_of_the_user_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LAAF_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/laaf/references")


def test_closed_forms_are_not_kept(folder: Path) -> None:
    exact = reference(SPEC.replace("reference: spectral", "reference: {exact: {u: x}}"))
    assert not isinstance(exact, KeptReference)
    exact.evaluate(POINTS)
    assert not folder.exists()


def test_no_cache_neither_reads_nor_keeps(folder: Path, laaf: Laaf, solved: list[int]) -> None:
    spec = folder.parent.parent / "spec.yaml"
    spec.write_text(SPEC)
    solve = ("solve", spec, "-i", 1, "-q", "--overwrite", "-o", spec.with_suffix(".h5"))
    assert laaf(*solve, "--no-cache").code == 0
    assert not folder.exists()
    once = len(solved)
    assert laaf(*solve).code == 0
    assert len(solved) == 2 * once
    assert len(kept(folder)) > 0
    assert laaf(*solve).code == 0
    assert len(solved) == 2 * once
    assert laaf(*solve, "--no-cache").code == 0
    assert len(solved) == 3 * once
