"""Spec → plan: everything that can be known of a classification, and refused, before training
starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from laaf_cli.errors import Fault, SpecError
from laaf_cli.images.augmentation import AUGMENTATIONS, Augmentation
from laaf_cli.images.data import DATASETS, ImageData, Progress, load_images
from laaf_cli.images.models.image_model import ImageModel, ImageShape
from laaf_cli.images.models.table import MODELS
from laaf_cli.images.spec import ImageSpec
from laaf_cli.runs.identity import Hashes, hash_of
from laaf_cli.runs.planned import AnyPlan
from laaf_cli.seeds import random_stream
from laaf_cli.spec import LoadedSpec, Override, Text, load_as
from laaf_cli.spec.schema import Written
from laaf_cli.text import did_you_mean, listed

NO_AUGMENTATION = Augmentation("none", ())

WRITTEN = Written(
    spec=ImageSpec,
    choices={("images",): tuple(DATASETS), ("model", "kind"): tuple(MODELS)},
    or_file={("images",): {"type": "string", "pattern": r"\.[nN][pP][zZ]"}},
)
"""What a spec of images may hold."""


@dataclass(frozen=True, kw_only=True)
class ImagePlan(AnyPlan):
    """A classification that has not begun: the resolved spec and its images, of which those for
    the test are part of the problem.
    """

    task: ClassVar[str] = "images"

    spec: ImageSpec
    data: ImageData

    @property
    def shape(self) -> ImageShape:
        """The shape of an image."""
        return ImageShape(*self.data.train.pixels.shape[1:])

    @property
    def epochs(self) -> int:
        """The passes over the training images."""
        return self.spec.training.epochs or 0

    @property
    def n_batches(self) -> int:
        """The steps of an epoch; the last batch may be smaller."""
        return -(-len(self.data.train.labels) // self.spec.training.batch)

    @property
    def n_iterations(self) -> int:
        """The steps of the whole training."""
        return self.epochs * self.n_batches

    @property
    def augmentation(self) -> Augmentation:
        """What is done to the images: nothing without `augment`."""
        return AUGMENTATIONS[self.spec.images] if self.spec.augment else NO_AUGMENTATION

    @property
    def default_output(self) -> Path:
        """`runs/DATASET-MODEL-KIND-nN-sSEED.h5`, fixed slopes without n; what else is not the
        default is said, so that runs do not collide.
        """
        spec = self.spec
        said = {
            "channel": spec.slopes.row.per_neuron and spec.slopes.per == "channel",
            "augmented": spec.augment,
            "code": spec.reading == "code",
        }
        words = [
            self.name,
            spec.model.kind,
            spec.slopes.file_words,
            *(w for w, is_so in said.items() if is_so),
        ]
        return Path("runs") / f"{'-'.join(words)}-s{spec.seed}.h5"

    def make_network(self) -> ImageModel:
        """The model with its initial weights; those depend on the seed and the shapes alone."""
        spec, row = self.spec, MODELS[self.spec.model.kind]
        model = row.make(
            self.shape,
            self.data.n_classes,
            {name: getattr(spec.model, name) for name in row.settings},
            kind=spec.slopes.kind,
            n=spec.slopes.n,
            per=spec.slopes.per,
            random=random_stream(spec.seed, "weights"),
            dtype=self.dtype,
        )
        # Convolutions and pools of CPUs are 1.4 times faster with the channels of a pixel side by
        # side.
        return model.to(self.device).laid_out()

    def settings(self) -> dict[str, Any]:
        """The resolved settings, as the run file keeps them."""
        return self.spec.model_dump(mode="json") | {"max_seconds": self.max_seconds}

    @cached_property
    def hashes(self) -> Hashes:
        """SHA-256 of the problem, which is the images and their split, and of the method, which is
        all else.

        Runs share both where they differ in the seed, in what is reported, or in the device.
        """
        spec = self.spec.model_dump(mode="json")
        method = {key: spec[key] for key in ("model", "slopes", "augment", "training", "dtype")}
        kind = self.spec.slopes.row
        method["slopes"] = spec["slopes"] if kind.is_adaptive else {"kind": kind.name}
        # What changes no number makes no other method: whose slopes there are in a convolution of
        # other kinds than N-LAAF, and what fixed slopes would be multiplied by.
        if kind.is_adaptive and not kind.per_neuron:
            method["slopes"] = spec["slopes"] | {"per": "neuron"}
        if not kind.is_adaptive and self.spec.model.forgets_n:
            method["model"] = spec["model"] | {"forgets_n": False}
        method["max_seconds"] = self.max_seconds
        return Hashes(problem=self.data.fingerprint, method=hash_of(method))


def make_image_plan(
    text: Text,
    overrides: Sequence[Override] = (),
    *,
    folder: Path | None = None,
    max_seconds: float | None = None,
    download: bool = True,
    progress: Progress | None = None,
    known: dict[str, ImageData] | None = None,
) -> ImagePlan:
    """The plan of a spec of images.

    Args:
        folder: where data sets lie; None takes the default.
        download: whether what is missing is fetched.
        known: data sets that have been read already, by what the spec calls them; the one of this
            plan is put there.

    Raises SpecError with all faults of the spec, and DataSetError where the images cannot be had.
    """
    loaded = load_as(ImageSpec, text, overrides)
    faults = [*loaded.faults, *_faults(loaded)]
    if faults or loaded.spec is None:
        raise SpecError(faults)
    spec = _resolved(loaded.spec)
    known = {} if known is None else known
    if spec.images not in known:
        own_file = Path(text.name).parent / spec.images  # relative to the spec
        source = spec.images if spec.images in DATASETS else own_file
        known[spec.images] = load_images(source, folder, download=download, progress=progress)
    plan = ImagePlan(
        name=Path(text.name).stem,
        text=text,
        spec=spec,
        data=known[spec.images],
        overrides=tuple(overrides),
        max_seconds=max_seconds,
    )
    if unfit := MODELS[spec.model.kind].unfit(plan.shape):
        fits = [name for name, row in MODELS.items() if not row.unfit(plan.shape)]
        raise SpecError(
            [
                Fault(
                    unfit,
                    loaded.root.locate(("model", "kind")).mark,
                    f"Models that fit: {listed(fits)}.",
                )
            ]
        )
    return plan


def _faults(loaded: LoadedSpec[ImageSpec]) -> list[Fault]:
    """What is wrong with the meaning of a spec."""
    spec, root = loaded.spec, loaded.root
    if spec is None:
        return []
    faults = []
    if spec.images not in DATASETS and Path(spec.images).suffix.lower() != ".npz":
        hint = (
            did_you_mean(spec.images, DATASETS) or f"Data sets: {listed(DATASETS)}; or an NPZ file."
        )
        faults.append(
            Fault(f"there is no data set '{spec.images}'", root.locate(("images",)).mark, hint)
        )
    elif spec.augment and spec.images not in AUGMENTATIONS:
        what = "there is no augmentation for the images of a file"
        faults.append(
            Fault(what, root.locate(("augment",)).mark, f"There is for {listed(AUGMENTATIONS)}.")
        )
    row = MODELS.get(spec.model.kind)
    section = root.locate(("model",))
    if row is None:
        hint = did_you_mean(spec.model.kind, MODELS) or f"Models: {listed(MODELS)}."
        return [
            *faults,
            Fault(
                f"there is no model '{spec.model.kind}'", root.locate(("model", "kind")).mark, hint
            ),
        ]
    for name in spec.model.model_fields_set - {"kind", *row.settings}:
        if getattr(spec.model, name) is not None:
            what = f"the model '{row.name}' takes no '{name}'"
            faults.append(
                Fault(
                    what, section.keys.get(name, section.mark), f"Its keys: {listed(row.settings)}."
                )
            )
    return faults


def _resolved(spec: ImageSpec) -> ImageSpec:
    """The spec with everything written out that depends on the reading, the model or the
    augmentation.
    """
    row, is_code = MODELS[spec.model.kind], spec.reading == "code"
    defaults = {**row.settings, **(row.code if is_code else {})}
    set_keys = {
        name: getattr(spec.model, name)
        for name in row.settings
        if getattr(spec.model, name) is not None
    }
    drops = [10, 100] if spec.augment else [10, 50] if is_code else [10]
    training = spec.training.model_copy(
        update={
            "epochs": spec.training.epochs or (200 if spec.augment else 50),
            "drops": drops if spec.training.drops is None else spec.training.drops,
        }
    )
    model = spec.model.model_copy(update=defaults | set_keys)
    return spec.model_copy(update={"model": model, "training": training})
