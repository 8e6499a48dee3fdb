"""The image data sets of section 4, read from their publishers' own formats and checked against
their checksums.
"""

from __future__ import annotations

from laaf_cli.images.data.datasets import DATASETS
from laaf_cli.images.data.download import Progress
from laaf_cli.images.data.folder import default_data_dir
from laaf_cli.images.data.images import ImageData, Images
from laaf_cli.images.data.loading import load_images
from laaf_cli.images.data.own import read_npz
from laaf_cli.images.data.published import DataSet
