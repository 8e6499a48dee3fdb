"""The rows of MNIST and of the sets that are made like it: 28 x 28 grey pixels, ten classes,
60,000 and 10,000.
"""

from __future__ import annotations

from laaf_cli.images.data.idx import read_idx_images
from laaf_cli.images.data.published import DataSet, DataSetPart, Form, Piece, PublishedFile

_Idx = tuple[str, int, str, int, str]


def _piece(urls: tuple[str, ...], row: _Idx) -> Piece:
    """A file of MNIST or one of its successors, packed as published, or unpacked."""
    name, packed_size, packed_sha256, size, sha256 = row
    packed = PublishedFile(
        name=f"{name}.gz",
        size=packed_size,
        checksum=f"sha256:{packed_sha256}",
        urls=tuple(f"{url}{name}.gz" for url in urls),
    )
    plain = PublishedFile(name=name, size=size, checksum=f"sha256:{sha256}")
    return Piece(
        name=name,
        size=size,
        checksum=plain.checksum,
        forms=(Form(file=packed, packing="gzip"), Form(file=plain)),
    )


def make_data_set(
    name: str,
    title: str,
    classes: tuple[str, ...],
    rows: tuple[_Idx, ...],
    urls: tuple[str, ...],
    folder: str,
    terms: str,
) -> DataSet:
    """MNIST or one of its successors.

    Args:
        rows: training images and labels, test images and labels.
    """
    images, labels, test_images, test_labels = (_piece(urls, row) for row in rows)
    train = DataSetPart(name="train", n=60_000, pieces=(images, labels), read=read_idx_images)
    test = DataSetPart(
        name="t10k", n=10_000, pieces=(test_images, test_labels), read=read_idx_images
    )
    return DataSet(
        name=name,
        title=title,
        classes=classes,
        shape=(1, 28, 28),
        train=(train,),
        test=(test,),
        folders=(folder,),
        terms=terms,
    )


_MNIST = (
    (
        "train-images-idx3-ubyte",
        9_912_422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        47_040_016,
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    ),
    (
        "train-labels-idx1-ubyte",
        28_881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        60_008,
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    ),
    (
        "t10k-images-idx3-ubyte",
        1_648_877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        7_840_016,
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    ),
    (
        "t10k-labels-idx1-ubyte",
        4_542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        10_008,
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ),
)

_KMNIST = (
    (
        "train-images-idx3-ubyte",
        18_165_135,
        "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
        47_040_016,
        "7112ba9ec422d98de4885262d4a4dff14cc4fefb81c11ace8bf563a8255df5c3",
    ),
    (
        "train-labels-idx1-ubyte",
        29_497,
        "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
        60_008,
        "2a16eeae62da984b8bd24fa32e31d47291f01dac3fe84d5594f304f71e7d374b",
    ),
    (
        "t10k-images-idx3-ubyte",
        3_041_136,
        "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
        7_840_016,
        "76fbd229ce87db80dd281af5e6670de4ad0e42fb30a7bd643972994c47c1f42e",
    ),
    (
        "t10k-labels-idx1-ubyte",
        5_120,
        "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        10_008,
        "a11dc742be8e781a40a92f53d6a4957e7b7d36df2faa097659131ebfd8fd60c6",
    ),
)

_FASHION_MNIST = (
    (
        "train-images-idx3-ubyte",
        26_421_880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        47_040_016,
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    (
        "train-labels-idx1-ubyte",
        29_515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        60_008,
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    (
        "t10k-images-idx3-ubyte",
        4_422_102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        7_840_016,
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    (
        "t10k-labels-idx1-ubyte",
        5_148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        10_008,
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
)

MNIST = make_data_set(
    "mnist",
    "MNIST",
    tuple("0123456789"),
    _MNIST,
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    "MNIST/raw",
    (
        "Yann LeCun, Corinna Cortes and Christopher J. C. Burges; Creative Commons "
        "Attribution-Share Alike 3.0."
    ),
)

KMNIST = make_data_set(
    "kmnist",
    "KMNIST",
    ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    _KMNIST,
    ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
    "KMNIST/raw",
    "'KMNIST Dataset' (created by CODH), adapted from 'Kuzushiji Dataset' (created by NIJL and "
    "others), "
    "doi:10.20676/00000341; Creative Commons Attribution-Share Alike 4.0.",
)

FASHION_MNIST = make_data_set(
    "fashion-mnist",
    "Fashion-MNIST",
    (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    _FASHION_MNIST,
    (
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
    "FashionMNIST/raw",
    (
        "Zalando Research (Han Xiao, Kashif Rasul, Roland Vollgraf); MIT License, copyright 2017 "
        "Zalando SE."
    ),
)
