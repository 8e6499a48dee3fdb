"""Meshes of shapes of any kind."""

from __future__ import annotations

from typing import Any

from laaf_cli.problem.shapes.plane_shape import PlaneShape
from laaf_cli.problem.shapes.shape import AnyShape
from laaf_cli.problem.shapes.space_shape import SpaceShape
from laaf_cli.references.shapes.plane_mesh import make_plane_mesh, smallest_in_plane
from laaf_cli.references.shapes.space_mesh import make_space_mesh


def make_mesh(shape: AnyShape, size: float, order: int) -> Any:
    """The mesh of a shape whose boundaries are named `piece 0`, … in the order of its pieces.

    Args:
        size: the length of its elements, at most.
        order: the degree of the polynomials by which elements are curved.

    Raises:
        ReferenceRefusedError: no mesh is made of such a shape.
    """
    if isinstance(shape, PlaneShape):
        return make_plane_mesh(shape, size, order)
    assert isinstance(shape, SpaceShape)  # noqa: S101 - there are no others
    return make_space_mesh(shape, size, order)


def smallest(shape: AnyShape, size: float, order: int) -> float:
    """The size of the elements at corners of which values are looked at; 0 in space."""
    return smallest_in_plane(size, order) if isinstance(shape, PlaneShape) else 0.0
