"""A data set by its name, or a file of one's own: images to train on and to test with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from laaf_cli.images.data.datasets import DATASETS
from laaf_cli.images.data.download import Progress, fetch
from laaf_cli.images.data.folder import FilesOfDataSet, default_data_dir, shown_path
from laaf_cli.images.data.images import ImageData, Images
from laaf_cli.images.data.own import read_npz
from laaf_cli.images.data.published import DataSet, DataSetPart, Piece, PublishedFile
from laaf_cli.images.errors import DataSetError, MissingDataError
from laaf_cli.text import did_you_mean, listed, shown

Contents = Mapping[Piece, bytes]


def load_images(
    name: str | Path,
    folder: Path | None = None,
    *,
    download: bool = True,
    progress: Progress | None = None,
) -> ImageData:
    """The images of a data set, or of a file of one's own.

    Args:
        name: of a row of DATASETS, or the path of an `.npz` file (see `read_npz`).
        folder: where the files of the data sets lie, `default_data_dir()` where it is None.
        download: whether files that are missing are fetched into it.
        progress: called with files that are being fetched.

    Raises:
        DataSetError: the name is not in the table, or a file is not what it should be.
        MissingDataError: a file is missing and cannot be fetched.
    """
    if Path(name).suffix.lower() == ".npz":
        return read_npz(Path(name))
    dataset = DATASETS.get(str(name))
    if dataset is None:
        hint = (
            did_you_mean(str(name), DATASETS)
            or f"There are: {listed(DATASETS)}; a set of one's own is an .npz file."
        )
        raise DataSetError(f"there is no data set {shown(str(name))}. {hint}")
    folder = folder or default_data_dir()
    # Path raises for what is not a path.
    if os.path.exists(folder) and not os.path.isdir(folder):  # noqa: PTH110, PTH112
        raise DataSetError(
            f"{shown_path(folder)} is not a folder, and data sets lie in one; "
            "`data_dir='DIR'` names it"
        )
    files = FilesOfDataSet(dataset, folder, DATASETS)
    contents = _contents(dataset, files)
    failure = ""
    if download and (missing := _missing(dataset, contents)):
        try:
            for file in missing:
                fetch(file, files.own_folder, progress)
        except DataSetError as error:
            failure = str(error)
        contents = _contents(dataset, files)
    if _missing(dataset, contents):
        raise MissingDataError(_not_there(files, contents, failure))
    return ImageData(
        train=_read(dataset, dataset.train, contents),
        test=_read(dataset, dataset.test, contents),
        classes=dataset.classes,
        files=files.sha256,
    )


def _pieces(dataset: DataSet) -> list[Piece]:
    return list(dict.fromkeys(piece for part in dataset.parts for piece in part.pieces))


def _contents(dataset: DataSet, files: FilesOfDataSet) -> dict[Piece, bytes]:
    contents = {piece: files.content(piece) for piece in _pieces(dataset)}
    return {piece: content for piece, content in contents.items() if content is not None}


def _missing(dataset: DataSet, contents: Contents) -> list[PublishedFile]:
    return list(dict.fromkeys(piece.fetched for piece in _pieces(dataset) if piece not in contents))


def _not_there(files: FilesOfDataSet, contents: Contents, failure: str) -> str:
    """What is missing, why it was not fetched, from where to download it, and where to put it."""
    missing = _missing(files.dataset, contents)
    lacking = [piece.name for piece in _pieces(files.dataset) if piece not in contents]
    what = f"{listed(lacking)} {'is' if len(lacking) == 1 else 'are'} missing"
    why = f"it could not be fetched ({failure})" if failure else "nothing is fetched"
    them = "it" if len(missing) == 1 else "them"
    return "\n".join(
        [
            f"{files.dataset.title} is not all in {shown_path(files.folder)}: {what}, and {why}.",
            "Download",
            *(f"  {file.name} ({file.size:,} bytes) from {file.urls[0]}" for file in missing),
            (
                f"and put {them} into {shown_path(files.own_folder)}; or name a folder with {them} "
                "by `data_dir='DIR'`."
            ),
        ]
    )


def _read(dataset: DataSet, parts: tuple[DataSetPart, ...], contents: Contents) -> Images:
    images = []
    for part in parts:
        try:
            of_part = part.read(*(contents[piece] for piece in part.pieces))
        except DataSetError as error:
            raise DataSetError(
                f"{dataset.title}, {listed(piece.name for piece in part.pieces)}: {error}"
            ) from None
        if len(of_part) != part.n or of_part.shape != dataset.shape:
            raise DataSetError(
                f"{dataset.title}, {part.name}: there are {len(of_part):,} images of shape "
                f"{of_part.shape}, and {part.n:,} "
                f"of shape {dataset.shape} were expected"
            )
        images.append(of_part)
    if len(images) == 1:
        return images[0]
    return Images(
        np.concatenate([i.pixels for i in images]), np.concatenate([i.labels for i in images])
    )
