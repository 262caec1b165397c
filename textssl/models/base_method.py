"""The model of a method for images: an encoder and the named parts that the method puts beside it."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


class MethodModel(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy here
    """What is trained and what is kept beside it; all of it stands in the state of a run.

    Args:
        encoder: what the method is for.
        parts: by name, for instance "projector", "predictor", "teacher", "queue"; each becomes an attribute.
    """

    def __init__(self, encoder: nn.Module, parts: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.encoder = encoder
        for name, part in parts.items():
            self.add_module(name, part)
        self.kept: dict[str, Tensor] = {}
        """What the loss of a step leaves for `after_step`; never saved, and of no use after it."""

    @property
    def part_names(self) -> list[str]:
        """The parts beside the encoder, in order."""
        return [name for name, _ in self.named_children() if name != "encoder"]
