"""Run files of strangers over images: read or refused in one sentence; what does not fit is not gone on with.

What is done to files, and the process that reads them, are those of `test_hostile_run_files.py`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray
from conftest import Laaf, resealed, unsealed
from fuzz.run_files import (
    GOLDEN,
    GOLDEN_IMAGES,
    READ,
    REFUSED,
    Told,
    counted,
    examined,
    is_one_sentence,
)
from image_runs import SPEC, image_plan, write_images
from test_hostile_run_files import (
    Spoil,
    also,
    attribute,
    copy_of,
    link,
    low,
    packed,
    put,
    settings,
    text,
    without,
)

from laaf_cli.errors import RunFileError
from laaf_cli.images.runfile.layout import IMAGE_ATTRIBUTES, IMAGE_GROUP_ATTRIBUTES, IMAGE_LAYOUT
from laaf_cli.images.runfile.read import ImageRunFile
from laaf_cli.images.train import execute
from laaf_cli.runfile import RunFile

LIES = "claims .* bytes and holds .*; it is not read"
MISFIT = "does not fit this laaf, first at '{}'"


def crowded(group: str, n: int, of: str) -> Spoil:
    """One array under very many names."""

    def spoil(file: h5py.File) -> None:
        for i in range(n):
            file[f"{group}/x{i}"] = file[of]

    return spoil


def many_classes(file: h5py.File) -> None:
    file.attrs["n_classes"] = 10**9


def classes_to_match(file: h5py.File) -> None:
    """As many as are named, and a table of more than a gigabyte that nobody wrote."""
    file.attrs["n_classes"] = 20_000
    text("spec/classes", json.dumps(["a"] * 20_000).encode())(file)
    put("test/confusion", (20_000, 20_000), "i8")(file)


def counts_that_overflow(file: h5py.File) -> None:
    """Their sum is 6 where integers begin again from below."""
    counts = np.zeros((3, 3), np.int64)
    counts[0, 0], counts[:2, 1:] = 6, 2**62
    put("test/confusion", data=counts)(file)


def group_for_an_array(file: h5py.File) -> None:
    """A name with a slash is that of a group."""
    del file["network/fc1.weight"]
    file["network/fc1.weight/x"] = np.ones(3)


SPOILED: dict[str, tuple[Spoil, str]] = {
    # Classes.
    "a thousand million classes": (many_classes, r"spec/classes in .* does not name 1000000000 classes"),
    "classes to match": (classes_to_match, f"test/confusion .*{LIES}"),
    "terabytes of confusion": (put("test/confusion", (2**20, 2**20), "i8"), f"test/confusion .*{LIES}"),
    "no classes": (attribute("n_classes", 0), "spec/classes in .* does not name 0 classes"),
    "negative classes": (attribute("n_classes", -3), "n_classes in .* is -3, which is not a count"),
    "classes that are no names": (text("spec/classes", b"[1, 2, 3]"), "spec/classes in .* is not what it should be"),
    "classes deep in lists": (text("spec/classes", b"[" * 100_000), "spec/classes in .* is not what it should be"),
    "negative counts": (put("test/confusion", data=np.diag([4, 4, -2])), "test/confusion in .* does not count the test"),
    "other counts": (put("test/confusion", data=np.eye(3, dtype=int)), "test/confusion in .* does not count the test"),
    "counts that overflow": (counts_that_overflow, "test/confusion in .* does not count the test images"),
    "counts in halves": (put("test/confusion", data=np.full((3, 3), 6 / 9)), "test/confusion in .* holds no integers"),
    "flat counts": (put("test/confusion", data=np.full(9, 1)), r"test/confusion .* the shape \[9\] instead of \[3, 3\]"),
    # History.
    "terabytes of epochs": (put("history/epoch", (2**40,), "f8"), f"history/epoch .*{LIES}"),
    "never written": (put("history/epoch", (3,), "f8"), LIES),
    "no epochs": (put("history/epoch", data=np.empty(0)), r"history/epoch in .* has the shape \[0\], which does not fit"),
    "epochs back and forth": (put("history/epoch", data=[0.0, 2, 1]), "history/epoch in .* does not count upwards"),
    "epochs that are NaN": (put("history/epoch", data=[0.0, np.nan, 1]), "history/epoch in .* does not count upwards"),
    "endless epochs": (put("history/epoch", data=[0.0, 1, np.inf]), "history/epoch in .* does not count upwards"),
    "epochs before the first": (put("history/epoch", data=[-1.0, 0, 1]), "history/epoch in .* does not count upwards"),
    "whole epochs": (put("history/epoch", data=[0, 1, 2]), "history/epoch in .* holds no numbers"),
    "more epochs than losses": (put("history/epoch", data=np.arange(4.0)), r"the shape \[3\] instead of \[4\]"),
    "short losses": (put("history/test_loss", data=np.ones(2)), r"history/test_loss .* shape \[2\] instead of \[3\]"),
    "losses of text": (text("history/train_loss", b"small"), r"history/train_loss .* the shape \[\] instead of \[3\]"),
    "a share above all": (put("history/test_error", data=[0.5, 0.5, 2]), "history/test_error in .* is not a fraction"),
    "a share below none": (put("history/train_error", data=[0.5, -1, 0]), "history/train_error in .* is not a fraction"),
    "iterations in halves": (put("history/iteration", data=np.ones(3)), "history/iteration in .* holds no integers"),
    "history in links": (link("history/test_loss", h5py.SoftLink("/history/train_loss")), "test_loss in .* is a link"),
    "packed beyond its size": (packed("history/epoch", (3,), (3,), b"x" * 30), "history/epoch in .* is damaged"),
    "events of numbers": (put("history/events", data=np.ones(3)), "history/events in .* is not text"),
    # Slopes.
    "no activations": (put("slopes/layer", data=np.empty(0, int)), r"slopes/layer .* the shape \[0\], which does not fit"),
    "many activations": (put("slopes/layer", (2**40,), "i8"), f"slopes/layer .*{LIES}"),
    "more activations than slopes": (put("slopes/layer", data=np.arange(4)), r"shape \[3, 3\] instead of \[3, 4\]"),
    "flat slopes": (put("slopes/mean", data=np.ones(9)), r"slopes/mean .* shape \[9\] instead of \[3, 3\]"),
    # Network and momentum.
    "terabytes of weights": (put("network/fc1.weight", (2**30, 2**30), "f4"), f"network/fc1.weight .*{LIES}"),
    "weights of text": (text("network/fc1.weight", b"heavy"), "network/fc1.weight in .* holds no numbers"),
    "whole weights": (put("network/fc1.weight", data=np.ones((4, 4), int)), "network/fc1.weight in .* holds no numbers"),
    "a name with a slash": (group_for_an_array, "has no dataset network/fc1.weight"),
    "one array of many names": (
        crowded("network", 100, "network/conv2.weight"),
        "network in .* claims 16.,... bytes, more than the file has",
    ),
    "weights that lead elsewhere": (link("network/fc1.bias", h5py.ExternalLink("/etc/passwd", "x")), "is a link"),
    "a type of one's own": (low("network/fc1.bias", h5py.h5t.IEEE_F16LE, (4,)), "holds neither plain numbers nor text"),
    "momentum of text": (text("checkpoint/momentum/fc1.bias", b"fast"), "momentum/fc1.bias in .* holds no numbers"),
    "momentum that is no group": (link("checkpoint/momentum", "network/fc1.bias"), "has no group checkpoint/momentum"),
    "no network": (without("network"), "has no group network"),
    "no checkpoint": (without("checkpoint"), "has no group checkpoint"),
    "negative batch": (attribute("batch", -1, "checkpoint"), "batch of checkpoint in .* is -1, which is not a count"),
    "epoch that is NaN": (attribute("epoch", np.nan, "checkpoint"), "epoch of checkpoint in .* is not an integer"),
    "kind of numbers": (attribute("kind", 3, "network"), "the attribute kind of network in .* is not text"),
    # Attributes and settings.
    "no model": (lambda f: f.attrs.__delitem__("model"), "lacks the attribute model"),
    "another task": (attribute("task", "equation"), "lacks the attribute relative_l2|lacks the attribute"),
    "a task of no kind": (attribute("task", "music"), "the attribute task in .* is 'music'; it is one of equation, im"),
    "no time": (attribute("wall_time_s", np.nan), "wall_time_s in .* is nan, which is not a time"),
    "files that are no pairs": (text("spec/files", b'{"a": 3}'), "spec/files in .* is not what it should be"),
    "no images": (settings(lambda s: s.pop("images")), MISFIT.format("images")),
    "a wide layer": (settings(lambda s: s["model"].update(width=10**9)), MISFIT.format("model.width")),
    "no epochs to train": (settings(lambda s: s["training"].update(epochs=0)), MISFIT.format("training.epochs")),
    "dropout of all": (settings(lambda s: s["model"].update(dropout=1.0)), MISFIT.format("model.dropout")),
    "NaN in JSON": (settings(lambda s: s["slopes"].update(n=float("nan"))), "spec/settings in .* is not JSON"),
    "a strange key": (settings(lambda s: s["training"].update(epoch=3)), MISFIT.format("training.epoch")),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module", params=["sealed", "unsealed"])
def told(folder: Path, request: pytest.FixtureRequest) -> dict[str, Told]:
    """What is said of each spoiled file, by a process that has 256 MB."""
    paths = [
        copy_of(GOLDEN_IMAGES, folder / f"{name}.h5", spoil)
        for name, (spoil, _said) in SPOILED.items()
    ]
    if request.param == "unsealed":
        for path in paths:
            unsealed(path)
    ends = examined(paths)
    for path in paths:
        path.unlink()
    return ends


@pytest.mark.parametrize("name", SPOILED)
def test_spoiled_file(told: dict[str, Told], folder: Path, name: str) -> None:
    found = told[f"{name}.h5"]
    assert found.end == REFUSED, found
    assert re.search(SPOILED[name][1], found.said), found
    assert is_one_sentence(found.said, folder / f"{name}.h5"), found


READABLE: dict[str, Spoil] = {
    "as it is": lambda _file: None,
    "NaN in losses": put("history/test_loss", data=np.full(3, np.nan)),
    "NaN in weights": put("network/fc1.bias", data=np.full(4, np.nan, "f4")),
    "big-endian": put("network/fc1.bias", data=np.ones(4, ">f4")),
    "no momentum": without("checkpoint/momentum"),
    "end in an epoch": put("history/epoch", data=[0.0, 1, 1.5]),
}


def test_readable_files(tmp_path: Path) -> None:
    paths = [
        copy_of(GOLDEN_IMAGES, tmp_path / f"{name}.h5", spoil) for name, spoil in READABLE.items()
    ]
    assert {name: told.said for name, told in examined(paths).items() if told.end != READ} == {}


@pytest.mark.parametrize("again", [False, True], ids=["damaged", "damaged and sealed again"])
def test_damage_by_chance(tmp_path: Path, again: bool) -> None:
    counts = counted(tmp_path, 100, seed=7, resealed=again, golden=GOLDEN_IMAGES)
    assert counts.failed == []
    assert counts.refused + counts.unchanged + counts.read == 100
    assert min(counts.refused, counts.read) > 10, "some are refused, some are read"


def test_each_reader_refuses_runs_of_the_other_task() -> None:
    with pytest.raises(
        RunFileError, match=r"is a run of `classify\(\)`, expected one of `solve\(\)`"
    ):
        RunFile(GOLDEN_IMAGES)
    with pytest.raises(
        RunFileError, match=r"is a run of `solve\(\)`, expected one of `classify\(\)`"
    ):
        ImageRunFile(GOLDEN)


# --- The file as it should be ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a training that went on in an epoch."""
    folder = tmp_path_factory.mktemp("whole")
    write_images(folder)
    asked: list[int] = []
    stopped = execute(
        image_plan(folder), should_stop=lambda: bool(asked.append(0)) or len(asked) > 10
    )
    stopped.save(folder / "run.h5")
    return folder / "run.h5"


def pattern(path: str) -> str:
    return re.sub(r"\\\{(\w+)\\\}", r"[\\w.]+", re.escape(path))


def test_file_and_layout_agree(whole: Path) -> None:
    found: list[str] = []
    with h5py.File(whole) as file:
        file.visititems(
            lambda name, item: found.append(f"/{name}") if isinstance(item, h5py.Dataset) else None
        )
        assert set(file.attrs) == set(IMAGE_ATTRIBUTES)
        for group, attributes in IMAGE_GROUP_ATTRIBUTES.items():
            assert set(file[group].attrs) == set(attributes)
        for name in found:
            (entry,) = (entry for entry in IMAGE_LAYOUT if re.fullmatch(pattern(entry.path), name))
            kind = {"text": "S", "int64": "<i8", "float64": "<f8", "dtype": "<f4"}[entry.kind]
            assert file[name].dtype.str.removeprefix("|").startswith(kind), name
            scales = [
                Path(dimension[0].name).name for dimension in file[name].dims if len(dimension)
            ]
            assert ", ".join(scales) == entry.dimensions or name.endswith(f"/{entry.dimensions}"), (
                name
            )
    for entry in IMAGE_LAYOUT:
        assert any(re.fullmatch(pattern(entry.path), name) for name in found), (
            f"{entry.path} is missing"
        )


def test_xarray_opens_history_and_slopes(whole: Path) -> None:
    with xarray.open_dataset(whole, group="history", engine="h5netcdf") as history:
        assert history["train_loss"].dims == ("epoch",)
        np.testing.assert_allclose(history["epoch"], [0, 1, 10 / 7])
    with xarray.open_dataset(whole, group="slopes", engine="h5netcdf") as slopes:
        assert slopes["mean"].dims == ("epoch", "layer")
        assert slopes["layer"].values.tolist() == [1, 2, 3]
        np.testing.assert_allclose(slopes["mean"][0], 1, rtol=1e-6)


def test_spec_and_images_are_shown(whole: Path) -> None:
    with ImageRunFile(whole) as run:
        assert run.text("spec/yaml") == SPEC
        assert run.classes() == ["0", "1", "2"]
        assert list(run.files()) == ["digits.npz"]
        assert run.spec.model.width == 8
        assert run.spec.model.dropout == 0.0, "defaults are written out"
        assert run.spec.training.drops == [10]


@pytest.mark.parametrize("version", [6, 7])
def test_golden_image_runs_of_all_formats_read(version: int) -> None:
    """Written by `sh tests/golden/renew.sh` with the laaf of that format."""
    with ImageRunFile(GOLDEN_IMAGES.with_name(f"image-run-format-{version}.h5")) as run:
        assert run.attributes["format_version"] == version
        assert run.attributes["problem"] == "golden-images"
        assert run.text("spec/yaml").startswith("title: Golden images")
        history = run.history()
        assert history.epochs.tolist() == [0, 1, 2]
        assert history.columns["iteration"].tolist() == [0, 2, 4]
        assert history.slopes["mean"].shape == (3, 3)
        assert run.confusion().sum() == 6
        assert (
            run.attributes["test_error"]
            == history.columns["test_error"][-1]
            == 1 - run.confusion().trace() / 6
        )
        assert run.network().arrays["slopes.values.0"].shape == (4, 1, 1)
        assert run.network().attributes == {"kind": "nlaaf", "n": 2.0, "per": "channel"}
        assert run.checkpoint().attributes == {"iteration": 4, "epoch": 2, "batch": 0}
        assert run.checkpoint().momentum.keys() == run.network().arrays.keys()
        assert run.recovery() == history.columns["slope_recovery"][-1]


def test_a_part_of_a_data_set_in_a_file_of_format_6(tmp_path: Path) -> None:
    """Such runs are trained no more; the name of the problem keeps them apart from whole sets."""
    path = tmp_path / "run.h5"
    path.write_bytes(GOLDEN_IMAGES.with_name("image-run-format-6.h5").read_bytes())
    with resealed(path) as file:
        file.attrs["subset"] = "6 of 12 training images"
    with ImageRunFile(path) as run:
        assert run.attributes["problem"] == "golden-images (6 of 12 training images)"
    with resealed(path) as file:
        file.attrs["subset"] = 6
    with pytest.raises(RunFileError, match="the attribute subset in .* is not text"):
        ImageRunFile(path)


# --- What does not fit its own spec ----------------------------------------------------------------------------------


def moved(iteration: int, epoch: int, batch: int) -> Spoil:
    """Says that it stands elsewhere."""

    def spoil(file: h5py.File) -> None:
        file.attrs.modify("iterations", iteration)
        for name, value in (("iteration", iteration), ("epoch", epoch), ("batch", batch)):
            file["checkpoint"].attrs.modify(name, value)

    return spoil


FOREIGN: dict[str, tuple[Spoil, str]] = {
    "other iterations": (attribute("iteration", 9, "checkpoint"), "its iteration counters are inconsistent"),
    "a batch too many": (attribute("batch", 7, "checkpoint"), "its iteration counters are inconsistent"),
    "steps of another batch": (moved(10, 1, 4), "its steps are not those of the spec"),
    "the end of time": (moved(7 * 2**58, 2**58, 0), "its steps are not those of the spec"),
    "epochs after the last": (moved(28, 4, 0), "its steps are not those of the spec"),
    "an epoch that was not recorded": (moved(14, 2, 0), "its history is not that of its epochs"),
    "records of the future": (put("history/epoch", data=[0.0, 1, 2.5]), "its history is not that of its epochs"),
    "records in between": (put("history/epoch", data=[0.0, 0.5, 1]), "its history is not that of its epochs"),
    "weights of another shape": (put("network/fc1.bias", data=np.ones(9, "f4")), "its network has other names or sh"),
    "a weight too few": (without("network/fc1.bias"), "its network has other names or shapes than the spec's"),
    "a weight too many": (also("network/fc3.bias", "network/fc1.bias"), "its network has other names or shapes"),
    "momentum of another shape": (put("checkpoint/momentum/fc1.bias", data=np.ones(9, "f4")), "its momentum has other"),
    "momentum of a part": (without("checkpoint/momentum/fc1.bias"), "its momentum has other names or shapes than"),
    "no momentum": (without("checkpoint/momentum"), "its momentum has other names or shapes than the spec's"),
    "strange momentum": (also("checkpoint/momentum/x", "network/fc1.bias"), "its momentum has other names or shapes"),
    "fewer activations": (
        lambda f: [put(f"slopes/{name}", data=f[f"slopes/{name}"][..., :2])(f) for name in f["slopes"] if name != "epoch"],
        "its history has other activations than the network",
    ),
    "seconds without end": (settings(lambda s: s.update(max_seconds=10**400)), "does not say how the seconds are meant"),
    "negative seconds": (settings(lambda s: s.update(max_seconds=-1)), "does not say how the seconds are meant"),
    "overrides that are none": (text("spec/overrides", b'[["", "1"]]'), "spec/overrides in .* is not what it should be"),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_a_checkpoint_that_does_not_fit(tmp_path: Path, whole: Path, laaf: Laaf, name: str) -> None:
    spoil, expected = FOREIGN[name]
    run = tmp_path / "run.h5"
    run.write_bytes(whole.read_bytes())
    with resealed(run) as file:
        spoil(file)
    before = run.read_bytes()
    ended = laaf("resume", run, "-q")
    assert (ended.code, run.read_bytes()) == (4, before), ended.err
    assert re.search(expected, ended.err), ended.err
    assert str(run) in ended.err
    assert len(ended.err.splitlines()) == 1


def test_the_whole_itself_is_resumed(tmp_path: Path, whole: Path, laaf: Laaf) -> None:
    run = tmp_path / "run.h5"
    run.write_bytes(whole.read_bytes())
    ended = laaf("resume", run, "-q")
    assert ended.code == 0, ended.err
    with ImageRunFile(run) as finished:
        assert finished.history().epochs.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["terabytes of epochs", "NaN in JSON"])
@pytest.mark.parametrize("command", ["resume", "show", "compare"])
def test_commands_refuse_in_one_line(laaf: Laaf, tmp_path: Path, command: str, name: str) -> None:
    path = copy_of(GOLDEN_IMAGES, tmp_path / "run.h5", SPOILED[name][0])
    outcome = laaf(command, path)
    assert outcome.code == 4
    assert outcome.out == ""
    assert str(path) in outcome.err
    assert len(outcome.err.splitlines()) == 1
