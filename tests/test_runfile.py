"""The run file: its layout, its round trip, xarray, atomic writing, and what is refused."""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray
from conftest import plan_of

from laaf_cli.errors import RunFileError, UsageError
from laaf_cli.files.target import check_target
from laaf_cli.runfile import ATTRIBUTES, GROUP_ATTRIBUTES, LAYOUT, RunFile, write_run
from laaf_cli.runs.finished import FinishedRun
from laaf_cli.runs.plan import make_plan
from laaf_cli.runs.train import execute
from laaf_cli.spec import Text

GOLDEN = Path(__file__).parent / "golden"

HEAT = """
# a comment that must survive: é
title: Heat
coordinates: {x: [0, 2], t: [5, 6]}
unknowns: [u, v]
equations: {a: u_t = u_xx, b: v_t = u}
conditions: {start: {where: t = 5, equation: [u = x, v = 0], points: 7}, ends: {where: boundary, equation: u = x}}
points: {interior: 20}
network: {hidden: [4, 3]}
slopes: {kind: nlaaf, n: 5}
training: [{iterations: 4}]
reference: {exact: {u: x, v: x*(t - 5)}}
evaluation: {grid: {x: 6, t: 3}, times: [5.25, 5.5]}
"""


@pytest.fixture(scope="module")
def finished() -> FinishedRun:
    return execute(plan_of(HEAT))


@pytest.fixture
def path(finished: FinishedRun, tmp_path: Path) -> Path:
    finished.save(tmp_path / "run.h5")
    return tmp_path / "run.h5"


def pattern(path: str) -> str:
    return re.sub(
        r"\\\{(\w+)\\\}", lambda m: r"\d+" if m[1] == "k" else r"[\w./-]+", re.escape(path)
    )


def test_file_and_layout_agree(path: Path) -> None:
    found: list[str] = []
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.append(f"/{name}") if isinstance(item, h5py.Dataset) else None
        )
        assert set(file.attrs) == set(ATTRIBUTES)
        for name in found:
            assert file[name].dtype.kind in "fiSu", f"{name} is of type {file[name].dtype}"
        assert {group for group in GROUP_ATTRIBUTES if group not in file} == {"/intervals"}
        for group, attributes in GROUP_ATTRIBUTES.items():
            if group not in file:
                continue
            for name in file[group].attrs:
                assert any(re.fullmatch(pattern(known), name) for known in attributes), (
                    f"{group} has {name}"
                )
            for known in attributes:
                assert any(re.fullmatch(pattern(known), name) for name in file[group].attrs), (
                    f"{group} lacks {known}"
                )
        for group in ("solution", "slices", "history", "slopes", "error_at_times"):
            assert not file[group].attrs
    for name in found:
        assert any(re.fullmatch(pattern(entry.path), name) for entry in LAYOUT), (
            f"{name} is not in the layout"
        )
    for entry in LAYOUT:
        present = any(re.fullmatch(pattern(entry.path), name) for name in found)
        assert present or entry.optional, f"{entry.path} is missing"


def test_spec_is_kept_byte_for_byte(path: Path) -> None:
    with RunFile(path) as run:
        assert run.text("spec/yaml") == HEAT
        settings = json.loads(run.text("spec/settings"))
    assert settings["slopes"] == {
        "kind": "nlaaf",
        "n": 5.0,
        "recovery": {"weight": 1.0, "form": "mean", "operator": "exp"},
    }
    assert settings["training"][0]["learning_rate"] == 1e-3, "defaults are written out"


def test_xarray_opens_the_fields_by_name(path: Path) -> None:
    for group in ("solution", "reference", "error"):
        with xarray.open_dataset(path, group=group, engine="h5netcdf") as fields:
            assert fields["u"].dims == ("x", "t")
            assert fields["u"].shape == (6, 3)
            np.testing.assert_allclose(fields["x"], np.linspace(0, 2, 6))
            np.testing.assert_allclose(fields["t"], [5, 5.5, 6])
    with (
        xarray.open_dataset(path, group="solution", engine="h5netcdf") as solution,
        xarray.open_dataset(path, group="reference", engine="h5netcdf") as reference,
        xarray.open_dataset(path, group="error", engine="h5netcdf") as error,
    ):
        np.testing.assert_allclose(
            reference["v"], reference["x"] * (reference["t"] - 5), atol=1e-15
        )
        np.testing.assert_allclose(error["v"], solution["v"] - reference["v"])
        expected = float(np.sqrt(((error["v"]) ** 2).sum() / (reference["v"] ** 2).sum()))
        assert error.attrs["relative_l2_v"] == pytest.approx(expected)
        assert error.attrs["max_error_v"] == pytest.approx(float(np.abs(error["v"]).max()))


def test_xarray_opens_history_and_slopes(path: Path) -> None:
    with xarray.open_dataset(path, group="history", engine="h5netcdf") as history:
        assert history["total"].dims == ("iteration",)
        assert history["iteration"].values.tolist() == [0, 1, 2, 3, 4]
    with xarray.open_dataset(path, group="slopes", engine="h5netcdf") as slopes:
        assert slopes["layer_1"].dims == ("iteration", "slope_1")
        assert slopes["layer_2"].shape == (5, 3)
        np.testing.assert_allclose(slopes["layer_1"][0], 1, rtol=1e-6)


def test_the_network_in_the_file_is_the_solution_in_the_file(path: Path) -> None:
    """The stored parameters, evaluated with NumPy alone, give the stored field."""
    with RunFile(path) as run:
        layers = [
            {
                name: run.array(f"network/layer_{k}/{name}")
                for name in run.names(f"network/layer_{k}")
            }
            for k in (1, 2, 3)
        ]
        u, v = run.array("solution/u"), run.array("solution/v")
    x, t = np.meshgrid(np.linspace(-1, 1, 6), np.linspace(-1, 1, 3), indexing="ij")
    z = np.stack([x, t], axis=-1)
    for layer in layers[:-1]:
        z = np.tanh(5 * layer["slope"] * (z @ layer["weight"].T.astype(float) + layer["bias"]))
    outputs = z @ layers[-1]["weight"].T.astype(float) + layers[-1]["bias"]
    np.testing.assert_allclose(outputs[..., 0], u, atol=1e-7)
    np.testing.assert_allclose(outputs[..., 1], v, atol=1e-7)


def test_error_at_times_is_taken_at_exactly_these(path: Path) -> None:
    with RunFile(path) as run:
        assert run.array("error_at_times/t").tolist() == [5.25, 5.5]
        solution, reference = run.array("solution/u")[:, 1], run.array("reference/u")[:, 1]
        at_half = np.linalg.norm(solution - reference) / np.linalg.norm(reference)
        assert run.array("error_at_times/u")[1] == pytest.approx(at_half)


def test_hashes_tell_problem_and_method_apart() -> None:
    def hashes(*changes: str) -> tuple[str, str]:
        return plan_of(HEAT, *changes).hashes

    base = hashes()
    assert hashes("seed=5") == base
    assert hashes("title=Other") == base
    assert hashes("slopes.kind=llaaf")[0] == base[0]
    assert hashes("slopes.kind=llaaf")[1] != base[1]
    assert hashes("equations.a=u_t = 2*u_xx")[0] != base[0]
    assert hashes("equations.a=u_t = 2*u_xx")[1] == base[1]
    assert hashes("slopes.kind=fixed", "slopes.n=1") == hashes("slopes.kind=fixed", "slopes.n=7")


def test_a_failing_write_leaves_the_old_file(
    finished: FinishedRun, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def full_disk(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_run(path, finished.record)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path], "nothing half-written is left"


def test_a_run_that_cannot_be_written_is_saved_elsewhere(
    finished: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "gone").write_text("a file where the folder was")
    with pytest.raises(UsageError) as caught:
        finished.save(tmp_path / "gone" / "run.h5")
    assert str(caught.value).startswith(f"{tmp_path}/gone/run.h5 cannot be written: ")
    (saved,) = (tmp_path / "elsewhere").iterdir()
    assert f"The run is saved in {saved}; `load({str(saved)!r})` shows it." in str(caught.value)
    with RunFile(saved) as run:
        assert run.attributes["title"] == "Heat"


def test_a_run_is_saved_where_its_folder_was_deleted(
    finished: FinishedRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder that laaf was started in is no place to save to, nor can its path be asked for."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(
        UsageError, match=r"^run\.h5 cannot be written: No such file or directory\n"
    ) as caught:
        finished.save(Path("run.h5"))
    (saved,) = tmp_path.iterdir()
    assert f"The run is saved in {saved}; `load({str(saved)!r})` shows it." in str(caught.value)
    saved.write_text("no folder")
    monkeypatch.setattr(tempfile, "tempdir", str(saved))
    with pytest.raises(UsageError, match="No other place could be written either"):
        finished.save(Path("run.h5"))


def test_observed_values_are_kept(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "data.npz",
        x=np.linspace(0, 2, 9, dtype=np.float32),
        t=np.full(9, 5.5),
        u=np.arange(9.0),
    )
    text = HEAT.replace("unknowns: [u, v]", "unknowns: [u]").replace(
        "equations: {a: u_t = u_xx, b: v_t = u}", "data: {file: data.npz}"
    )
    text = text.replace("[u = x, v = 0]", "u = x").replace("{u: x, v: x*(t - 5)}", "{u: x}")
    plan = make_plan(Text(str(tmp_path / "spec.yaml"), text))
    execute(plan).save(tmp_path / "run.h5")
    with RunFile(tmp_path / "run.h5") as run:
        assert run.array("checkpoint/observed/data/u").tolist() == list(range(9))
    before = plan.hashes
    np.savez(tmp_path / "data.npz", x=np.linspace(0, 2, 9), t=np.full(9, 5.5), u=np.arange(9.0) + 1)
    assert make_plan(plan.text).hashes.problem != before.problem


@pytest.mark.parametrize("name", ["a\0b", "a\udcffb"])
def test_texts_that_hdf5_cannot_hold(finished: FinishedRun, tmp_path: Path, name: str) -> None:
    record = replace(finished.record, attributes={**finished.record.attributes, "problem": name})
    write_run(tmp_path / "run.h5", record)
    with RunFile(tmp_path / "run.h5") as run:
        assert run.attributes["problem"] == "a?b"


def test_an_unknown_may_be_called_time(tmp_path: Path) -> None:
    execute(
        plan_of(
            HEAT.replace("v_t", "time_t")
            .replace(" v]", " time]")
            .replace("v = 0", "time = 0")
            .replace("v: x", "time: x")
        )
    ).save(tmp_path / "run.h5")
    with RunFile(tmp_path / "run.h5") as run:
        assert set(run.names("error_at_times")) == {"t", "u", "time"}


def test_long_names_and_links(finished: FinishedRun, tmp_path: Path) -> None:
    finished.save(tmp_path / ("r" * 250 + ".h5"))
    (tmp_path / "real.h5").write_text("old")
    (tmp_path / "link.h5").symlink_to(tmp_path / "real.h5")
    finished.save(tmp_path / "link.h5")
    assert (tmp_path / "link.h5").is_symlink()
    with pytest.raises(UsageError, match="File name too long"):
        check_target(tmp_path / ("r" * 300), overwrite=False)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="is not an ordinary file, and `output` takes one"):
        check_target(tmp_path / "pipe", overwrite=True)


def test_target_is_checked_before_training(tmp_path: Path) -> None:
    there = tmp_path / "there.h5"
    there.write_text("x")
    with pytest.raises(
        UsageError, match=r"already exists; `overwrite` replaces it, `output` sets another path"
    ):
        check_target(there, overwrite=False)
    check_target(there, overwrite=True)
    with pytest.raises(UsageError, match="is a directory; `output` takes the path of a file"):
        check_target(tmp_path, overwrite=True)
    with pytest.raises(
        UsageError, match="cannot be written: Not a directory|cannot be written: File exists"
    ):
        check_target(there / "run.h5", overwrite=False)
    with pytest.raises(
        UsageError, match="cannot be written: Permission denied|Read-only|No such file"
    ):
        check_target(Path("/proc/run.h5"), overwrite=False)
    check_target(tmp_path / "new" / "deep" / "run.h5", overwrite=False)
    assert (tmp_path / "new" / "deep").is_dir()


def test_target_on_a_full_disk(tmp_path: Path) -> None:
    needed = r"has \d+ MB left, and 900000000000 MB may be needed; `folder` names another place"
    with pytest.raises(UsageError, match=needed):
        check_target(
            tmp_path / "run.h5", overwrite=False, setting="folder", min_free_bytes=9 * 10**17
        )


def test_the_refusals_name_the_setting_that_names_another_place(tmp_path: Path) -> None:
    (tmp_path / "run.h5").touch()
    for path in (tmp_path, tmp_path / "run.h5", tmp_path / "a.checkpoint", Path("/proc/run.h5")):
        with pytest.raises(UsageError, match="`folder`"):
            check_target(path, overwrite=False, setting="folder")


def test_run_files_that_cannot_be_read(path: Path, tmp_path: Path) -> None:
    with pytest.raises(RunFileError, match="there is no file"):
        RunFile(tmp_path / "none.h5")
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(RunFileError, match="cannot be read as HDF5"):
        RunFile(tmp_path / "text.h5")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RunFileError, match="cannot be read as HDF5: truncated file"):
        RunFile(path)
    with h5py.File(tmp_path / "foreign.h5", "w") as file:
        file["x"] = 1
    with pytest.raises(RunFileError, match="was not written by laaf"):
        RunFile(tmp_path / "foreign.h5")
    with h5py.File(tmp_path / "newer.h5", "w") as file:
        file.attrs["format_version"] = 99
    for version, advice in ((5, "run its spec again"), (99, "a newer laaf reads it")):
        with h5py.File(tmp_path / "other.h5", "w") as file:
            file.attrs["format_version"] = version
        known = f"has format {version}, this laaf reads formats 6 to 7; {advice}"
        with pytest.raises(RunFileError, match=known):
            RunFile(tmp_path / "other.h5")


@pytest.mark.parametrize("version", [6, 7])
def test_golden_files_of_all_formats_read(version: int) -> None:
    """Written by `sh tests/golden/renew.sh` with the laaf of that format."""
    with RunFile(GOLDEN / f"run-format-{version}.h5") as run:
        assert run.attributes["format_version"] == version
        assert run.attributes["problem"] == "golden"
        assert run.array("solution/u").shape == (6, 3)
        assert run.array("history/iteration").tolist() == [0, 1, 2, 3, 4]
        assert run.text("spec/yaml").startswith("title: Golden")
        assert run.array("slopes/layer_1").shape == (5, 4)
        assert run.constants()["k"][0] == pytest.approx(0.5)
        assert set(run.validation()) == {"a", "start", "ends"}
        assert set(run.history().weights) == {"a", "start", "ends", "slope_recovery"}
        assert run.functions() is None
        assert run.attributes["relative_l2"] == pytest.approx(
            float(run.array("history/relative_l2")[-1])
        )
