"""The image data sets of section 4, read from their publishers' own formats and checked against their checksums."""

from __future__ import annotations

from laaf_cli.classification.data.datasets import DATASETS
from laaf_cli.classification.data.download import Progress
from laaf_cli.classification.data.folder import default_data_dir
from laaf_cli.classification.data.images import ImageData, Images
from laaf_cli.classification.data.loading import load_images
from laaf_cli.classification.data.own import read_npz
from laaf_cli.classification.data.published import DataSet

__all__ = ["DATASETS", "DataSet", "ImageData", "Images", "Progress", "default_data_dir", "load_images", "read_npz"]
