"""A data set by its name, or a file of one's own: images to train on and to test with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from laaf_cli.errors import DataSetError, MissingDataError
from laaf_cli.images.data.datasets import DATASETS
from laaf_cli.images.data.download import Progress, fetch
from laaf_cli.images.data.folder import FilesOfDataSet, default_data_dir, shown_path
from laaf_cli.images.data.images import ImageData, Images
from laaf_cli.images.data.own import read_npz
from laaf_cli.images.data.published import DataSet, Part, Piece, PublishedFile
from laaf_cli.text import did_you_mean, listed, shown

TRAINING_SHARE = 0.8
"""The share of the test images of each class that is trained on where there are no training
images.
"""

Contents = Mapping[Piece, bytes]


def load_images(
    name: str | Path,
    folder: Path | None = None,
    *,
    download: bool = True,
    progress: Progress | None = None,
) -> ImageData:
    """The images of a data set, or of a file of one's own.

    name: of a row of DATASETS, or the path of an `.npz` file (see `read_npz`). folder: where the
    files of the data sets lie, `default_data_dir()` where it is None. download: whether files that
    are missing are fetched into it; where they are not, or cannot be, what is there is used as long
    as it suffices, and `ImageData.subset` says what part that is. progress: is told of files that
    are being fetched. Raises DataSetError for a name that is not in the table, for files that are
    not what they should be, and where too many are missing.
    """
    if Path(name).suffix.lower() == ".npz":
        return read_npz(Path(name))
    dataset = DATASETS.get(str(name))
    if dataset is None:
        raise DataSetError(f"there is no data set {shown(str(name))}. {_hint(str(name))}")
    files = FilesOfDataSet(dataset, _existing_or_new(folder or default_data_dir()), DATASETS)
    contents = _contents(dataset, files)
    failure = ""
    if download and (missing := _missing(dataset, contents)):
        try:
            for file in missing:
                fetch(file, files.own_folder, progress)
        except DataSetError as error:
            failure = str(error)
        contents = _contents(dataset, files)
    if not _suffices(dataset, contents):
        raise MissingDataError(_not_there(files, contents, failure))
    return _assembled(dataset, contents, files.sha256, failure)


def _existing_or_new(folder: Path) -> Path:
    """The folder; raises DataSetError where something else bears its name."""
    if os.path.exists(folder) and not os.path.isdir(folder):  # noqa: PTH110, PTH112 - Path raises for what is no path
        raise DataSetError(
            f"{shown_path(folder)} is no folder, and data sets lie in one; `data_dir='DIR'` names it"
        )
    return folder


def _hint(name: str) -> str:
    rest = f"There are: {listed(DATASETS)}; a set of one's own is an .npz file."
    return did_you_mean(name, DATASETS) or rest


def _pieces(dataset: DataSet) -> list[Piece]:
    return list(dict.fromkeys(piece for part in dataset.parts for piece in part.pieces))


def _contents(dataset: DataSet, files: FilesOfDataSet) -> dict[Piece, bytes]:
    found = {piece: files.content(piece) for piece in _pieces(dataset)}
    return {piece: content for piece, content in found.items() if content is not None}


def _missing(dataset: DataSet, contents: Contents) -> list[PublishedFile]:
    return list(dict.fromkeys(piece.fetched for piece in _pieces(dataset) if piece not in contents))


def _not_there(files: FilesOfDataSet, contents: Contents, failure: str) -> str:
    """What is missing, why it was not fetched, from where to download it, and where to put it."""
    missing = _missing(files.dataset, contents)
    why = f"it could not be fetched ({failure})" if failure else "nothing is fetched"
    them = "it" if len(missing) == 1 else "them"
    return "\n".join(
        [
            f"{files.dataset.title} is not all in {shown_path(files.folder)}, and {why}.",
            "Download",
            *(f"  {file.name} ({file.size:,} bytes) from {file.urls[0]}" for file in missing),
            (
                f"and put {them} into {shown_path(files.own_folder)}; or name a folder with {them} "
                "by `data_dir='DIR'`."
            ),
        ]
    )


def _is_there(part: Part, contents: Contents) -> bool:
    return all(piece in contents for piece in part.pieces)


def _suffices(dataset: DataSet, contents: Contents) -> bool:
    """Whether there is something to test with; training images can be taken from it where there
    are no others.
    """
    return all(_is_there(part, contents) for part in dataset.test)


def _assembled(
    dataset: DataSet, contents: Contents, sha256: Mapping[str, str], unfetched: str
) -> ImageData:
    there = [part for part in dataset.train if _is_there(part, contents)]
    test = _read(dataset, dataset.test, contents)
    n_train = sum(part.n for part in dataset.train)
    if not there:
        train, test = _split(test)
        subset = (
            f"{len(train):,} of the {len(train) + len(test):,} test images for training and "
            f"the other {len(test):,} "
            f"for testing, as the {n_train:,} training images are missing; not comparable with "
            "published figures"
        )
        return ImageData(
            train=train,
            test=test,
            classes=dataset.classes,
            files=dict(sha256),
            subset=subset,
            unfetched=unfetched,
        )
    train = _read(dataset, there, contents)
    subset = ""
    if len(there) < len(dataset.train):
        subset = (
            f"{len(train):,} of {n_train:,} training images ({listed(part.name for part in there)})"
        )
    return ImageData(
        train=train,
        test=test,
        classes=dataset.classes,
        files=dict(sha256),
        subset=subset,
        unfetched=unfetched,
    )


def _read(dataset: DataSet, parts: tuple[Part, ...] | list[Part], contents: Contents) -> Images:
    images = []
    for part in parts:
        try:
            found = part.read(*(contents[piece] for piece in part.pieces))
        except DataSetError as error:
            raise DataSetError(
                f"{dataset.title}, {listed(piece.name for piece in part.pieces)}: {error}"
            ) from None
        if len(found) != part.n or found.shape != dataset.shape:
            raise DataSetError(
                f"{dataset.title}, {part.name}: there are {len(found):,} images of shape "
                f"{found.shape}, and {part.n:,} "
                f"of shape {dataset.shape} were expected"
            )
        images.append(found)
    if len(images) == 1:
        return images[0]
    return Images(
        np.concatenate([i.pixels for i in images]), np.concatenate([i.labels for i in images])
    )


def _split(images: Images) -> tuple[Images, Images]:
    """The first of each class to train on and the last to test with, both in their order."""
    is_training = np.zeros(len(images), bool)
    for label in np.unique(images.labels):
        members = np.flatnonzero(images.labels == label)
        is_training[members[: int(TRAINING_SHARE * len(members))]] = True
    return images.at(np.flatnonzero(is_training)), images.at(np.flatnonzero(~is_training))
