"""The table of image data sets: what each is, its files with their checksums, and where they are to be had.

Sizes and checksums are those in torchvision (`datasets/{mnist,cifar,svhn,semeion}.py`), TensorFlow Datasets
(`url_checksums/`) and Apache MXNet (`gluon/data/vision/datasets.py`); those of the unpacked IDX files were computed
from packed files that have the published checksums.
"""

from __future__ import annotations

from laaf_cli.images.data.cifar_sets import CIFAR_10, CIFAR_100
from laaf_cli.images.data.mnist_sets import FASHION_MNIST, KMNIST, MNIST
from laaf_cli.images.data.published import DataSet
from laaf_cli.images.data.semeion_set import SEMEION
from laaf_cli.images.data.svhn_set import SVHN

_ROWS = (SEMEION, MNIST, KMNIST, FASHION_MNIST, CIFAR_10, CIFAR_100, SVHN)

DATASETS: dict[str, DataSet] = {row.name: row for row in _ROWS}
"""The data sets by the names that a spec and the command line use."""
