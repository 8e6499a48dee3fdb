"""The row of Semeion, with the split that the authors of the paper publish beside their code."""

from __future__ import annotations

from laaf_cli.images.data.published import DataSet, DataSetPart, Form, Piece, PublishedFile
from laaf_cli.images.data.semeion import read_test_digits, read_training_digits

_SEMEION = PublishedFile(
    name="semeion.data",
    size=2_889_702,
    checksum="sha256:f43228ae3da5ea6a3c95069d53450b86166770e3b719dcc333182128fe08d4b1",
    urls=("https://archive.ics.uci.edu/ml/machine-learning-databases/semeion/semeion.data",),
)
_PERMUTATION = PublishedFile(
    name="random_index.npy",
    size=12_872,
    checksum="sha256:f5c264df30af7d8dead33ccd53b729128470a8e7e3bd07355cadea2ec603bdcb",
)
_AUTHORS = PublishedFile(
    name="Deep_Learning_Benchmark.zip",
    size=10_349,
    checksum="sha256:c605919526a275d9cc6fec02f1527a4b483ba5a155bc2a16d3b49cc8688d89ce",
    urls=(
        "https://raw.githubusercontent.com/AmeyaJagtap/Locally-Adaptive-Activation-Functions-Neural-Networks-/"
        "02246c511efb1694d2740c33125b1403168ba0a1/Deep_Learning_Benchmark.zip",
    ),
)
_SEMEION_PIECES = (
    Piece(
        name=_SEMEION.name, size=2_889_702, checksum=_SEMEION.checksum, forms=(Form(file=_SEMEION),)
    ),
    Piece(
        name=_PERMUTATION.name,
        size=12_872,
        checksum=_PERMUTATION.checksum,
        forms=(
            Form(file=_PERMUTATION),
            Form(
                file=_AUTHORS,
                packing="zip",
                member="Deep_Learning_Benchmark/dataset/semeion/random_index.npy",
            ),
        ),
    ),
)

SEMEION = DataSet(
    name="semeion",
    title="Semeion",
    classes=tuple("0123456789"),
    shape=(1, 16, 16),
    train=(
        DataSetPart(
            name="training digits", n=1000, pieces=_SEMEION_PIECES, read=read_training_digits
        ),
    ),
    test=(DataSetPart(name="test digits", n=593, pieces=_SEMEION_PIECES, read=read_test_digits),),
    folders=(),
    terms="Semeion Research Center of Sciences of Communication, Rome, with Tattile, Brescia, by "
    "way of the UCI Machine Learning Repository; no licence is stated, and those who "
    "use it are asked to name both.",
)
