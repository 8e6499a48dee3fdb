"""The rows of CIFAR-10 and CIFAR-100: the binary version, in its archive or out of it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from laaf_cli.images.data.cifar import N_PIXELS, read_cifar
from laaf_cli.images.data.published import DataSet, DataSetPart, Form, Piece, PublishedFile

_TERMS = (
    "Alex Krizhevsky, Vinod Nair and Geoffrey Hinton, University of Toronto; no licence is "
    "given, and those who use it "
    "are asked to cite A. Krizhevsky, 'Learning Multiple Layers of Features from Tiny Images', "
    "technical report, 2009."
)


def _urls(name: str) -> tuple[str, ...]:
    return (f"https://www.cs.toronto.edu/~kriz/{name}", f"https://cave.cs.toronto.edu/kriz/{name}")


def make_part(name: str, n: int, records: str, archive: Form, n_classes: int) -> DataSetPart:
    """A batch of images, whose records anyone has packed, or the publisher with the others.

    Args:
        records: the checksum of the records.
        archive: that of the publisher, its folder as member.
    """
    size = n * ((2 if n_classes == 100 else 1) + N_PIXELS)
    piece = Piece(
        name=f"{name}.bin",
        size=size,
        checksum=records,
        forms=(
            Form(file=PublishedFile(name=f"{name}.bin", size=size, checksum=records)),
            Form(file=PublishedFile(name=f"{name}.bin.xz"), packing="xz"),
            Form(file=PublishedFile(name=f"{name}.bin.gz"), packing="gzip"),
            replace(archive, member=f"{archive.member}/{name}.bin"),
        ),
    )
    return DataSetPart(
        name=name, n=n, pieces=(piece,), read=partial(read_cifar, n_classes=n_classes)
    )


_ARCHIVE_10 = Form(
    file=PublishedFile(
        name="cifar-10-binary.tar.gz",
        size=170_052_171,
        checksum="sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        urls=_urls("cifar-10-binary.tar.gz"),
    ),
    packing="tar.gz",
    member="cifar-10-batches-bin",
)

_PARTS_10 = tuple(
    make_part(name, 10_000, records, _ARCHIVE_10, 10)
    for name, records in (
        ("data_batch_1", "sha256:cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
        ("data_batch_2", "sha1:c0ba65cce70568cd57b4e03e9ac8d2a5367c1795"),
        ("data_batch_3", "sha1:1dd00a74ab1d17a6e7d73e185b69dbf31242f295"),
        ("data_batch_4", "sha1:aab85764eb3584312d3c7f65fd2fd016e36a258e"),
        ("data_batch_5", "sha1:26e2849e66a845b7f1e4614ae70f4889ae604628"),
        ("test_batch", "sha256:8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
    )
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
    folders=("cifar-10-batches-bin",),
    terms=_TERMS,
)

_ARCHIVE_100 = Form(
    file=PublishedFile(
        name="cifar-100-binary.tar.gz",
        size=168_513_733,
        checksum="sha256:58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        urls=_urls("cifar-100-binary.tar.gz"),
    ),
    packing="tar.gz",
    member="cifar-100-binary",
)

_PARTS_100 = tuple(
    make_part(name, n, records, _ARCHIVE_100, 100)
    for name, n, records in (
        ("train", 50_000, "sha1:e207cd2e05b73b1393c74c7f5e7bea451d63e08e"),
        ("test", 10_000, "sha256:d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a"),
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
    folders=("cifar-100-binary",),
    terms=_TERMS,
)
