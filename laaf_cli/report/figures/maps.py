"""Heat maps of fields over two coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LogNorm
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from laaf_cli.arrays import Array
from laaf_cli.problem import shape_of
from laaf_cli.problem.shapes.plane_shape import PlaneShape
from laaf_cli.report.figures.canvas import RowPlan, label_outer, plain
from laaf_cli.report.figures.curves import mark_observations
from laaf_cli.report.figures.run_data import RunData
from laaf_cli.report.figures.scales import ColorScale
from laaf_cli.runfile.record import Observations

MAP_HEIGHT = 2.4
"""Height of a line of maps with its labels, in inches."""


@dataclass(frozen=True, kw_only=True)
class FieldMap:
    """A field [n_vertical, n_horizontal] over a plane, and the axes [n_vertical] and
    [n_horizontal].
    """

    title: str
    horizontal: Array
    vertical: Array
    values: Array
    observed: tuple[Array, Array] | None = None
    """Where the field was observed, [n] along each axis."""


@dataclass(frozen=True, kw_only=True)
class Plane:
    """The names of the coordinates of a map; is_space where both are lengths of one unit; the shape
    that is drawn, where there is one.
    """

    horizontal: str
    vertical: str
    is_space: bool
    shape: PlaneShape | None = None


def plane_of(run: RunData) -> Plane:
    """Time runs to the right and space upwards, as in the paper; of two coordinates in space the
    first to the right.
    """
    if len(run.space) == 1 and run.time is not None:
        return Plane(horizontal=run.time, vertical=run.space[0], is_space=False)
    shape = shape_of(run.spec)
    in_plane = shape if isinstance(shape, PlaneShape) else None
    return Plane(horizontal=run.space[0], vertical=run.space[1], is_space=True, shape=in_plane)


def panel_width(plane: Plane, field_map: FieldMap, height: float) -> float | None:
    """How wide a panel of a line of that height is, in inches, where lengths are drawn alike;
    else None.
    """
    ratio = _true_ratio(plane, field_map)
    return None if ratio is None else (height - 0.7) * ratio + 0.65


def _true_ratio(plane: Plane, field_map: FieldMap) -> float | None:
    """The ratio of the sides of what is drawn true to scale; None for all else, as a long strip."""
    x, y = field_map.horizontal, field_map.vertical
    ratio = float((x[-1] - x[0]) / (y[-1] - y[0]))
    return ratio if plane.is_space and 1 / 3 <= ratio <= 3 else None


def map_of(
    title: str,
    axes: Sequence[Array],
    values: Array,
    plane: Plane,
    observed: Observations | None = None,
) -> FieldMap:
    """axes, values, observed: of the two coordinates in the order of the run: (x, t), or (x, y)."""
    first, second = axes
    places = None if observed is None else (observed.points[:, 0], observed.points[:, 1])
    if plane.is_space:
        return FieldMap(
            title=title, horizontal=first, vertical=second, values=values.T, observed=places
        )
    if places is not None:
        places = places[1], places[0]
    return FieldMap(title=title, horizontal=second, vertical=first, values=values, observed=places)


def draw_maps(
    panels: Sequence[Axes],
    maps: Sequence[FieldMap],
    plan: RowPlan,
    plane: Plane,
    scale: ColorScale,
    label: str,
) -> None:
    """Draws maps into the panels of one row, with one colour bar for all of them."""
    meshes = [
        draw_map(axes, field_map, plane, scale)
        for axes, field_map in zip(panels, maps, strict=True)
    ]
    label_outer(panels, plan, plane.horizontal, plane.vertical)
    color_bar(panels, meshes[0], scale, label)


def draw_map(axes: Axes, field_map: FieldMap, plane: Plane, scale: ColorScale) -> QuadMesh:
    """A mesh whose cells are centred at the points of the grid, rasterized in vector formats."""
    values = field_map.values
    if isinstance(scale.norm, LogNorm) and scale.norm.vmin is not None:
        # A log scale has no place for an error of exactly zero: it gets the lowest colour, not that
        # of NaN.
        values = np.where(values == 0, scale.norm.vmin, values)
    x, y = field_map.horizontal, field_map.vertical
    if plane.shape is not None:
        values = filled(values)
    mesh = axes.pcolormesh(
        x, y, values, norm=scale.norm, cmap=scale.colormap, shading="nearest", rasterized=True
    )
    if plane.shape is not None:
        paths = [Path(line, closed=True) for line in plane.shape.outlines()]
        edge = PathPatch(Path.make_compound_path(*paths), fill=False, linewidth=0.6)
        axes.add_patch(edge)
        mesh.set_clip_path(edge)
    if field_map.observed is not None:
        mark_observations(axes, *field_map.observed)
    axes.set(xlim=(x[0], x[-1]), ylim=(y[0], y[-1]))
    if _true_ratio(plane, field_map) is not None:
        axes.set_aspect("equal")
    axes.grid(visible=False)
    plain(axes.set_title(field_map.title))
    return mesh


def filled(values: Array) -> Array:
    """A field with the nearest values outside of its shape, so that cells on the edge have one."""
    from scipy.ndimage import distance_transform_edt

    is_none = np.isnan(values)
    if is_none.all():
        return values
    nearest = distance_transform_edt(is_none, return_distances=False, return_indices=True)
    return values[tuple(nearest)]


def color_bar(panels: Sequence[Axes], mesh: QuadMesh, scale: ColorScale, label: str) -> None:
    """One colour bar right of the panels."""
    bar = panels[0].figure.colorbar(
        mesh, ax=list(panels), extend=scale.extend, label=label, pad=0.02, aspect=25
    )
    bar.outline.set_linewidth(0.6)
    if bar.solids is not None:
        bar.solids.set_rasterized(True)
