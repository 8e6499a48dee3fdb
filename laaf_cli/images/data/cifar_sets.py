"""The rows of CIFAR-10 and CIFAR-100: the binary and the Python version, in their archives or
out of them.
"""

from __future__ import annotations

from functools import partial

from laaf_cli.images.data.cifar import N_PIXELS, read_cifar, records_from_pickle
from laaf_cli.images.data.published import DataSet, Form, Part, Piece, PublishedFile

_TERMS = (
    "Alex Krizhevsky, Vinod Nair and Geoffrey Hinton, University of Toronto; no licence is "
    "given, and those who use it "
    "are asked to cite A. Krizhevsky, 'Learning Multiple Layers of Features from Tiny Images', "
    "technical report, 2009."
)


def _urls(name: str) -> tuple[str, ...]:
    return (f"https://www.cs.toronto.edu/~kriz/{name}", f"https://cave.cs.toronto.edu/kriz/{name}")


def make_piece(
    name: str,
    n: int,
    records: str,
    pickle: PublishedFile,
    archives: tuple[Form, Form],
    labels: tuple[str, ...],
) -> Piece:
    """A batch: its records, packed by anyone or in the publisher's archive, or its pickle.

    records: the checksum of the records. archives: the binary and the Python version, with the
    folder in each as member. labels: their keys in the pickle.
    """
    size = n * (len(labels) + N_PIXELS)
    binary, python = archives
    convert = partial(records_from_pickle, names=labels)
    # The file names of the images stand in a pickle too, about thirty bytes each.
    pickle_size = pickle.size or size + 100 * n
    return Piece(
        name=f"{name}.bin",
        size=size,
        checksum=records,
        forms=(
            Form(file=PublishedFile(name=f"{name}.bin", size=size, checksum=records)),
            Form(file=PublishedFile(name=f"{name}.bin.xz"), packing="xz"),
            Form(file=PublishedFile(name=f"{name}.bin.gz"), packing="gzip"),
            Form(file=binary.file, packing=binary.packing, member=f"{binary.member}/{name}.bin"),
            Form(file=pickle, size=pickle_size, convert=convert),
            Form(
                file=python.file,
                packing=python.packing,
                member=f"{python.member}/{name}",
                size=pickle_size,
                convert=convert,
            ),
        ),
    )


_ARCHIVES_10 = (
    Form(
        file=PublishedFile(
            name="cifar-10-binary.tar.gz",
            size=170_052_171,
            checksum="sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            urls=_urls("cifar-10-binary.tar.gz"),
        ),
        packing="tar.gz",
        member="cifar-10-batches-bin",
    ),
    Form(
        file=PublishedFile(
            name="cifar-10-python.tar.gz",
            size=170_498_071,
            checksum="sha256:6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
        ),
        packing="tar.gz",
        member="cifar-10-batches-py",
    ),
)

_BATCHES_10 = (
    (
        "data_batch_1",
        "sha256:cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
        31_035_704,
        "md5:c99cafc152244af753f735de768cd75f",
    ),
    (
        "data_batch_2",
        "sha1:c0ba65cce70568cd57b4e03e9ac8d2a5367c1795",
        31_035_320,
        "md5:d4bba439e000b95fd0a9bffe97cbabec",
    ),
    (
        "data_batch_3",
        "sha1:1dd00a74ab1d17a6e7d73e185b69dbf31242f295",
        31_035_999,
        "md5:54ebc095f3ab1f0389bbae665268c751",
    ),
    (
        "data_batch_4",
        "sha1:aab85764eb3584312d3c7f65fd2fd016e36a258e",
        31_035_696,
        "md5:634d18415352ddfa80567beed471001a",
    ),
    (
        "data_batch_5",
        "sha1:26e2849e66a845b7f1e4614ae70f4889ae604628",
        31_035_623,
        "md5:482c414d41f54cd18b22e5b47cb7c3cb",
    ),
    (
        "test_batch",
        "sha256:8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
        31_035_526,
        "md5:40351d587109b95175f43aff81a1287e",
    ),
)

_PARTS_10 = tuple(
    Part(
        name,
        10_000,
        (
            make_piece(
                name,
                10_000,
                records,
                PublishedFile(name=name, size=size, checksum=md5),
                _ARCHIVES_10,
                ("labels",),
            ),
        ),
        partial(read_cifar, n_classes=10),
    )
    for name, records, size, md5 in _BATCHES_10
)

CIFAR_10 = DataSet(
    name="cifar-10",
    title="CIFAR-10",
    classes=(
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ),
    shape=(3, 32, 32),
    train=_PARTS_10[:-1],
    test=_PARTS_10[-1:],
    folders=("cifar-10-batches-bin", "cifar-10-batches-py"),
    terms=_TERMS,
)

_ARCHIVES_100 = (
    Form(
        file=PublishedFile(
            name="cifar-100-binary.tar.gz",
            size=168_513_733,
            checksum="sha256:58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            urls=_urls("cifar-100-binary.tar.gz"),
        ),
        packing="tar.gz",
        member="cifar-100-binary",
    ),
    Form(
        file=PublishedFile(
            name="cifar-100-python.tar.gz",
            size=169_001_437,
            checksum="sha256:85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
        ),
        packing="tar.gz",
        member="cifar-100-python",
    ),
)

_LABELS_100 = ("coarse_labels", "fine_labels")

_PARTS_100 = tuple(
    Part(
        name,
        n,
        (
            make_piece(
                name,
                n,
                records,
                PublishedFile(name=name, size=None, checksum=md5),
                _ARCHIVES_100,
                _LABELS_100,
            ),
        ),
        partial(read_cifar, n_classes=100),
    )
    for name, n, records, md5 in (
        (
            "train",
            50_000,
            "sha1:e207cd2e05b73b1393c74c7f5e7bea451d63e08e",
            "md5:16019d7e3df5f24257cddd939b257f8d",
        ),
        (
            "test",
            10_000,
            "sha256:d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",
            "md5:f0ef6b0ae62326f3e7ffdfab6717acfc",
        ),
    )
)

_CLASSES_100 = tuple(
    (  # noqa: SIM905 - a hundred names, and not a hundred lines
        "apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge "
        "bus butterfly "
        "camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab "
        "crocodile "
        "cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo "
        "keyboard lamp "
        "lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom "
        "oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy "
        "porcupine "
        "possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper "
        "snail snake "
        "spider squirrel streetcar sunflower sweet_pepper table tank telephone television "
        "tiger tractor "
        "train trout tulip turtle wardrobe whale willow_tree wolf woman worm"
    ).split()
)

CIFAR_100 = DataSet(
    name="cifar-100",
    title="CIFAR-100",
    classes=_CLASSES_100,
    shape=(3, 32, 32),
    train=_PARTS_100[:1],
    test=_PARTS_100[1:],
    folders=("cifar-100-binary", "cifar-100-python"),
    terms=_TERMS,
)
