"""The table of models: which images each takes, which settings it has, and how it is made of
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from laaf_cli.images.models.image_model import ImageModel, ImageShape
from laaf_cli.images.models.lenet import LeNet, lenet_shape_fault
from laaf_cli.images.models.resnet import PreActResNet18, resnet_shape_fault
from laaf_cli.text import listed

Setting = bool | int | float


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """A row of the table."""

    name: str
    unfit: Callable[[ImageShape], str]
    """The shape of an image → why it does not fit, empty where it does."""
    settings: Mapping[str, Setting]
    """What can be set of this model alone, with its defaults, which are those of the paper's text.
    """
    code: Mapping[str, Setting]
    """Those of the authors' code, which differ."""
    model: Callable[..., ImageModel]
    """Its class."""

    def make(
        self,
        shape: tuple[int, int, int],
        n_classes: int,
        settings: Mapping[str, Setting],
        *,
        kind: str,
        n: float,
        per: str,
        random: np.random.Generator,
        dtype: torch.dtype = torch.float32,
    ) -> ImageModel:
        """The model for images [channels, height, width]; settings that are not given have their
        defaults.

        Raises ValueError where the shape does not fit or a setting is not one of this model.
        """
        for name in settings:
            if name not in self.settings:
                raise ValueError(
                    f"the model {self.name!r} has no setting {name!r}; it has "
                    f"{listed(self.settings)}"
                )
        chosen = {**self.settings, **settings}
        return self.model(
            shape, n_classes, **chosen, kind=kind, n=n, per=per, random=random, dtype=dtype
        )


MODELS: dict[str, ModelRow] = {
    row.name: row
    for row in (
        ModelRow(
            name="lenet",
            unfit=lenet_shape_fault,
            settings={"width": 1014, "dropout": 0.0},
            code={"width": 1024, "dropout": 0.5},
            model=LeNet,
        ),
        ModelRow(
            name="preact-resnet18",
            unfit=resnet_shape_fault,
            settings={"forgets_n": False},
            code={"forgets_n": True},
            model=PreActResNet18,
        ),
    )
}
