"""The row of SVHN, the street view house numbers, cropped to one digit each."""

from __future__ import annotations

from laaf_cli.images.data.published import DataSet, DataSetPart, Form, Piece, PublishedFile
from laaf_cli.images.data.svhn import read_svhn


def _part(name: str, n: int, size: int, sha256: str) -> DataSetPart:
    url = f"http://ufldl.stanford.edu/housenumbers/{name}"
    file = PublishedFile(name=name, size=size, checksum=f"sha256:{sha256}", urls=(url,))
    return DataSetPart(
        name=name,
        n=n,
        pieces=(Piece(name=name, size=size, checksum=file.checksum, forms=(Form(file=file),)),),
        read=read_svhn,
    )


SVHN = DataSet(
    name="svhn",
    title="SVHN",
    classes=tuple("0123456789"),
    shape=(3, 32, 32),
    train=(
        _part(
            "train_32x32.mat",
            73_257,
            182_040_794,
            "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
        ),
    ),
    test=(
        _part(
            "test_32x32.mat",
            26_032,
            64_275_384,
            "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
        ),
    ),
    folders=("SVHN",),
    terms="Yuval Netzer, Tao Wang, Adam Coates, Alessandro Bissacco, Bo Wu and Andrew Y. Ng, "
    "Stanford University and Google; "
    "for non-commercial use only.",
)
