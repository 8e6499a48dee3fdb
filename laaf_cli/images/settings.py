"""What a caller changes in the spec of an image classification by name."""

from __future__ import annotations

from dataclasses import dataclass

from laaf_cli.runs.settings import Places, Settings
from laaf_cli.spec import Value


@dataclass(frozen=True, kw_only=True)
class ImageSettings(Settings):
    """The settings of one classification; by the names that a caller gives them."""

    epochs: int | None = None
    model: str | None = None
    reading: str | None = None
    slopes_per: str | None = None
    width: int | None = None
    dropout: float | None = None
    augment: bool | None = None
    batch: int | None = None

    def places(self, root: Value) -> Places:
        return super().places(root) | {
            "augment": (("augment",), self.augment),
            "reading": (("reading",), self.reading),
            "model": (("model", "kind"), self.model),
            "width": (("model", "width"), self.width),
            "dropout": (("model", "dropout"), self.dropout),
            "slopes_per": (("slopes", "per"), self.slopes_per),
            "epochs": (("training", "epochs"), self.epochs),
            "learning_rate": (("training", "learning_rate"), self.learning_rate),
            "batch": (("training", "batch"), self.batch),
        }
