"""Run files of strangers: each is read or refused in one sentence; none hangs, crashes, leads elsewhere or fills memory.

What is spoiled here is sealed again, as a hostile writer would do it, or bears no seal: it keeps out chance, not strangers.
The files are read in a process of its own (`fuzz/run_files.py`).
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import socket
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from conftest import Laaf, resealed, unsealed
from fuzz.run_files import (
    GOLDEN,
    REFUSED,
    Told,
    counted,
    examined,
    is_one_sentence,
    read_everything,
)
from h5py import h5d, h5o, h5p, h5s, h5t, h5z

from laaf_cli.errors import RunFileError
from laaf_cli.files.untrusted.hdf5 import MAX_FILE_BYTES
from laaf_cli.runfile import FORMAT_VERSION, RunFile
from laaf_cli.runfile.seal import SIZE, seal

# --- What is done to a good run file -------------------------------------------------------------------------------

Spoil = Callable[[h5py.File], object]


def put(path: str, *arguments: Any, **how: Any) -> Spoil:
    """Another dataset in the place of this one."""

    def spoil(file: h5py.File) -> None:
        del file[path]
        file.create_dataset(path, *arguments, **how)

    return spoil


def link(path: str, target: Any) -> Spoil:
    """A link (or an object of this file, where a path is given) in the place of this one."""

    def spoil(file: h5py.File) -> None:
        del file[path]
        file[path] = file[target] if isinstance(target, str) else target

    return spoil


def also(path: str, target: str) -> Spoil:
    """One more name, for an object of this file."""

    def spoil(file: h5py.File) -> None:
        file[path] = file[target]

    return spoil


def low(path: str, kind: h5t.TypeID, shape: tuple[int, ...] | None = (6, 3)) -> Spoil:
    """A dataset of a type that NumPy has no name for; a shape of None is the null space."""

    def spoil(file: h5py.File) -> None:
        del file[path]
        space = (
            h5s.create(h5s.NULL)
            if shape is None
            else h5s.create_simple(shape)
            if shape
            else h5s.create(h5s.SCALAR)
        )
        h5d.create(file.id, path.encode(), kind, space)

    return spoil


def attribute(name: str, value: Any, group: str = "/", **how: Any) -> Spoil:
    return lambda file: file[group].attrs.create(name, value, **how)


def low_attribute(name: str, kind: h5t.TypeID, content: bytes | None = None) -> Spoil:
    """An attribute of a type that h5py would not write."""

    def spoil(file: h5py.File) -> None:
        del file.attrs[name]
        made = h5py.h5a.create(file.id, name.encode(), kind, h5s.create(h5s.SCALAR))
        if content is not None:
            made.write(np.frombuffer(content, f"S{len(content)}").reshape(()), mtype=kind)

    return spoil


def without(name: str) -> Spoil:
    """Without an object, or (after @) an attribute of the file."""

    def spoil(file: h5py.File) -> None:
        if name.startswith("@"):
            del file.attrs[name[1:]]
        else:
            del file[name]

    return spoil


def text(path: str, content: bytes) -> Spoil:
    return put(path, data=np.array(content, dtype=f"S{len(content)}"))


def settings(change: Callable[[dict[str, Any]], object]) -> Spoil:
    """Settings that lie."""

    def spoil(file: h5py.File) -> None:
        found = json.loads(file["spec/settings"][()])
        change(found)
        text("spec/settings", json.dumps(found).encode())(file)

    return spoil


def packed(
    path: str, shape: tuple[int, ...], chunk: tuple[int, ...], raw: bytes, mask: int = 0, **how: Any
) -> Spoil:
    """A dataset all of whose chunks hold the same bytes."""

    def spoil(file: h5py.File) -> None:
        del file[path]
        how.setdefault("compression", "gzip")
        dataset = file.create_dataset(path, shape, chunks=chunk, dtype="f8", **how)
        for index in np.ndindex(*(-(-n // c) for n, c in zip(shape, chunk, strict=True))):
            place = tuple(i * c for i, c in zip(index, chunk, strict=True))
            dataset.id.write_direct_chunk(place, raw, filter_mask=mask)

    return spoil


def filtered(path: str, *filters: int) -> Spoil:
    """A chunked dataset, never written, whose chunks would go through these filters."""

    def spoil(file: h5py.File) -> None:
        del file[path]
        how = h5p.create(h5p.DATASET_CREATE)
        how.set_chunk((6, 3))
        for number in filters:
            how.set_filter(number, h5z.FLAG_OPTIONAL, (1,) * 4)
        h5d.create(file.id, path.encode(), h5t.IEEE_F64LE, h5s.create_simple((6, 3)), how)

    return spoil


def crowd(path: str, n: int) -> Spoil:
    """A group with very many members, all of them one object."""

    def spoil(file: h5py.File) -> None:
        group, one = file[path].id, file["history/total"].id
        for i in range(n):
            h5o.link(one, group, f"x{i}".encode())

    return spoil


def name_that_is_no_text(file: h5py.File) -> None:
    h5o.link(file["solution/u"].id, file["solution"].id, b"\xff\xfe")


def virtual(
    path: str, source: Path, shape: tuple[int, ...], maximum: tuple[int | None, ...]
) -> Spoil:
    def spoil(file: h5py.File) -> None:
        del file[path]
        layout = h5py.VirtualLayout(shape, "f8", maxshape=maximum)
        layout[...] = h5py.VirtualSource(str(source), "solution/u", shape, maxshape=maximum)[...]
        file.create_virtual_dataset(path, layout)

    return spoil


def nested(depth: int) -> h5t.TypeID:
    """Arrays of arrays of arrays."""
    kind = h5t.NATIVE_INT8
    for _ in range(depth):
        kind = h5t.array_create(kind, (1,))
    return kind


def made(copied: h5t.TypeID, change: Callable[[Any], object]) -> h5t.TypeID:
    kind = copied.copy()
    change(kind)
    return kind


def more_than_memory(file: h5py.File) -> None:
    """360 MB of zeros that were really written, packed."""
    put("solution/x", data=np.linspace(0, 1, 90_000))(file)
    put("solution/t", data=np.linspace(0, 1, 500))(file)
    packed("solution/u", (90_000, 500), (9_000, 50), zlib.compress(bytes(3_600_000)))(file)


def deep(levels: int) -> bytes:
    return b'{"title": ' + b"[" * levels + b"]" * levels + b"}"


ZEROS = np.zeros(18).tobytes()
PLAIN = "holds neither plain numbers nor text"
LIES = "claims .* bytes and holds .*; it is not read"
MISFIT = "does not fit this laaf, first at '{}'"
APART = "its chunks do not make up the whole"
UNPACKED = "solution/u in .* is damaged: it has a packed part that does not unpack to 144 bytes"

SPOILED: dict[str, tuple[Spoil, str]] = {
    # Links. What they lead to is as good as what was there.
    "soft link": (link("solution/u", h5py.SoftLink("/error/u")), "solution/u in .* is a link, and those are not"),
    "dangling link": (link("solution/u", h5py.SoftLink("/nowhere")), "solution/u in .* is a link"),
    "circular link": (link("history", h5py.SoftLink("/history")), "history in .* is a link"),
    "link to a group": (link("checkpoint", h5py.SoftLink("/network")), "checkpoint in .* is a link"),
    "link to nowhere of a group": (link("slices", h5py.SoftLink("/nowhere")), "slices in .* is a link"),
    "group in itself": (link("solution/u", "solution"), "has no dataset solution/u"),
    "groups in each other": (link("history/terms", "/"), "history/terms in .* holds other terms than the spec has"),
    "file as a layer": (link("network/layer_1", "/"), "has no dataset network/layer_1/weight"),
    # Sizes that are not there.
    "terabytes, contiguous": (put("solution/u", (2**20, 2**20), "f8"), f"solution/u .*{LIES}"),
    "terabytes, in chunks": (put("solution/u", (2**20, 2**20), "f8", chunks=(64, 64), compression="gzip"), LIES),
    "terabytes, filled": (put("solution/x", (2**40,), "f8", chunks=(2**18,), fillvalue=7.0), LIES),
    "terabytes, filled and packed": (
        put("solution/x", (2**40,), "f8", chunks=(2**18,), fillvalue=7.0, compression="gzip"),
        f"solution/x .*{LIES}",
    ),
    "a product that overflows": (put("solution/u", (2**32, 2**32), "f8"), LIES),
    "terabytes of history": (put("history/total", (2**40,), "f8"), f"history/total .*{LIES}"),
    "terabytes of iterations": (put("history/iteration", (2**40,), "i8"), f"history/iteration .*{LIES}"),
    "terabytes of points": (put("checkpoint/points/a", (2**40, 2), "f8"), f"checkpoint/points/a .*{LIES}"),
    "terabytes of weights": (put("network/layer_1/weight", (2**30, 2**30), "f4"), LIES),
    "terabytes of text": (low("spec/settings", made(h5t.C_S1, lambda kind: kind.set_size(2**40)), ()), "is damaged: invalid datatype"),
    "a gigabyte of text": (low("spec/yaml", made(h5t.C_S1, lambda kind: kind.set_size(2**30)), ()), LIES),
    "never written": (put("solution/u", (6, 3), "f8"), LIES),
    "never written, in chunks": (put("solution/u", (6, 3), "f8", compression="gzip"), LIES),
    "half written": (put("history/total", (5,), "f8", chunks=(2,), compression="gzip"), LIES),
    "more than memory has": (
        more_than_memory,
        "solution/u in .* does not fit into memory",
    ),
    "bomb": (packed("solution/u", (6, 3), (6, 3), zlib.compress(bytes(500_000_000), 1)), UNPACKED),
    "bomb in a large chunk": (
        packed("solution/u", (6, 3), (6, 50_000_000), zlib.compress(bytes(1000)), maxshape=(6, None)),
        LIES,
    ),
    "bomb over the ratio": (packed("solution/u", (6, 300_000), (6, 300_000), zlib.compress(bytes(99))), LIES),
    "bomb within the ratio": (
        packed("solution/u", (6, 1_000_000), (6, 1_000_000), zlib.compress(bytes(48_000_000))),
        r"solution/u .* has the shape \[6, 1000000\] instead of \[6, 3\]",
    ),
    "short chunk": (packed("solution/u", (6, 3), (6, 3), zlib.compress(b"\1" * 80)), UNPACKED),
    "chunk that ends early": (packed("solution/u", (6, 3), (6, 3), zlib.compress(os.urandom(144))[:90]), UNPACKED),
    "chunk that is not packed": (packed("solution/u", (6, 3), (6, 3), ZEROS, 1), APART),
    "chunk of noise": (packed("solution/u", (6, 3), (6, 3), os.urandom(100)), "solution/u in .* is damaged"),
    "a million chunks": (
        put("history/iteration", (1_000_000,), "i8", chunks=(1,), compression="gzip"),
        f"history/iteration .*{LIES}",
    ),
    # What came with format 3.
    "no weights": (without("history/weights"), "history/weights in .* holds other terms than history/terms"),
    "a weight too few": (without("history/weights/ends"), "history/weights in .* holds other terms than history/terms"),
    "a weight too many": (also("history/weights/b", "history/total"), "history/weights in .* other terms than hist"),
    "short weights": (put("history/weights/a", data=np.ones(4)), r"history/weights/a .* shape \[4\] instead of \[5\]"),
    "whole weights": (put("history/weights/a", data=np.ones(5, int)), "history/weights/a in .* holds no numbers"),
    "terabytes of weights in the loss": (put("history/weights/a", (2**40,), "f8"), f"history/weights/a .*{LIES}"),
    "no constants": (without("history/constants"), "history/constants in .* holds other constants than the spec learns"),
    "strange constant": (also("history/constants/q", "history/total"), "holds other constants than the spec learns"),
    "constants that are not learned": (settings(lambda s: s.update(learn={})), "holds other constants than the spec"),
    "short constant": (put("history/constants/k", data=np.ones(4)), r"history/constants/k .* shape \[4\] instead of"),
    "constant that leads elsewhere": (link("history/constants/k", h5py.SoftLink("/history/total")), "k in .* is a link"),
    "terabytes of a constant": (put("history/constants/k", (2**40,), "f8"), f"history/constants/k .*{LIES}"),
    "strange term at held-out points": (also("validation/b", "validation/a"), "validation in .* holds other terms than"),
    "slope recovery at held-out points": (also("validation/slope_recovery", "validation/a"), "holds other terms than equa"),
    "many fresh points": (put("validation/a", data=np.ones(3)), r"validation/a in .* the shape \[3\] instead of \[\]"),
    "text at held-out points": (text("validation/a", b"small"), "validation/a in .* holds no numbers"),
    "nothing at held-out points": (low("validation/a", h5t.IEEE_F64LE, None), f"validation/a .*{PLAIN}"),
    "functions in numbers": (lambda f: f.update({"spec/functions": np.ones(3)}), "spec/functions in .* is not text"),
    "functions of no letters": (
        lambda f: f.update({"spec/functions": np.array(b"\xff\xfe", dtype="S2")}),
        "spec/functions in .* is damaged",
    ),
    "a group of functions": (lambda f: f.create_group("spec/functions"), "has no dataset spec/functions"),
    # What came with format 5, for going on.
    "no phases": (without("history/phases"), "has no dataset history/phases"),
    "phases that are no JSON": (text("history/phases", b"[{"), "history/phases in .* is not what it should be"),
    "phases of another kind": (text("history/phases", b'["adam"]'), "history/phases in .* is not what it should be"),
    "phases that are text": (
        text("history/phases", b'[{"optimizer": "adam", "iterations": "4", "end": "", "detail": ""}]'),
        "history/phases in .* is not what it should be",
    ),
    "two phases": (
        text("history/phases", b"[" + b", ".join([b'{"optimizer": "a", "iterations": 4, "end": "", "detail": ""}'] * 2) + b"]"),
        "history/phases in .* holds more phases than the spec",
    ),
    "events deep in lists": (text("history/events", b"[" * 100_000), "history/events in .* is not what it should be"),
    "events of numbers": (put("history/events", data=np.ones(3)), "history/events in .* is not text"),
    "overrides that are no pairs": (text("spec/overrides", b'[["a"]]'), "spec/overrides in .* is not what it should be"),
    "a path of no letters": (text("spec/path", b"\xff\xfe"), "spec/path in .* is damaged"),
    "phase of a checkpoint that is NaN": (attribute("phase", np.nan, "checkpoint"), "phase of checkpoint in .* is not an integer"),
    "endless learning rate": (attribute("rate_factor", np.inf, "checkpoint"), "rate_factor of checkpoint in .* is inf"),
    "negative time": (attribute("recorded_s", -1.0, "checkpoint"), "recorded_s of checkpoint in .* is -1.0"),
    "weights neither held nor not": (attribute("holds_weights", 2, "checkpoint"), "is 2; at most 1 has a meaning"),
    "factor of a strange term": (also("checkpoint/factors/b", "checkpoint/factors/a"), "factors in .* holds other terms"),
    "many factors": (put("checkpoint/factors/a", data=np.ones(3)), r"factors/a in .* the shape \[3\] instead of \[\]"),
    "a constant that is not learned": (
        also("checkpoint/constants/q", "checkpoint/constants/k"),
        "checkpoint/constants in .* holds other names than the spec has",
    ),
    "normals of a strange term": (also("checkpoint/normals/b", "checkpoint/normals/ends"), "holds other names than the"),
    "short normals": (put("checkpoint/normals/ends/x", data=np.ones(5)), r"the shape \[5\] instead of \[6\]"),
    "normals that lead elsewhere": (
        link("checkpoint/normals/ends/x", h5py.SoftLink("/checkpoint/normals/ends/t")),
        "checkpoint/normals/ends/x in .* is a link",
    ),
    "terabytes of an optimizer": (
        put("checkpoint/optimizer/exp_avg_0", (2**20, 2**20), "f8"),
        f"checkpoint/optimizer/exp_avg_0 .*{LIES}",
    ),
    "an optimizer of groups": (lambda f: f.create_group("checkpoint/optimizer/x"), "has no dataset checkpoint/optimizer/x"),
    "an optimizer of texts": (
        put("checkpoint/optimizer/n_steps", data="4"),
        f"checkpoint/optimizer/n_steps in .* {PLAIN}",
    ),
    # Filters.
    "unknown filter": (filtered("solution/u", 32015), "solution/u in .* is packed otherwise than by gzip"),
    "gzip in gzip": (filtered("solution/u", h5z.FILTER_DEFLATE, h5z.FILTER_DEFLATE), "is packed otherwise than by gzip"),
    "lzf": (put("solution/u", data=np.ones((6, 3)), compression="lzf"), "is packed otherwise than by gzip"),
    "scale-offset": (put("solution/u", data=np.ones((6, 3)), scaleoffset=3), "is packed otherwise than by gzip"),
    # Shapes.
    "transposed": (put("solution/u", data=np.ones((3, 6))), r"solution/u in .* has the shape \[3, 6\] instead of \[6"),
    "scalar field": (put("solution/u", data=1.0), r"the shape \[\] instead of \[6, 3\]"),
    "scalar axis": (put("solution/x", data=1.0), r"solution/x in .* has the shape \[\], which does not fit"),
    "flat axis": (put("solution/x", data=np.ones((2, 3))), "which does not fit"),
    "empty axis": (put("solution/x", data=np.ones(0)), r"solution/x in .* has the shape \[0\], which"),
    "32 dimensions": (put("solution/u", data=np.ones((1,) * 32)), r"instead of \[6, 3\]"),
    "null space": (low("solution/u", h5t.IEEE_F64LE, None), PLAIN),
    "longer reference": (put("reference/x", data=np.ones(7)), "reference/x in .* is not as long as solution/x"),
    "scalar points": (put("checkpoint/points/a", data=1.0), r"points/a in .* has the shape \[\], which points do not"),
    "flat points": (put("checkpoint/points/a", data=np.ones(4)), "which points do not have"),
    "points of another dimension": (put("checkpoint/points/a", data=np.ones((4, 3))), "which points do not have"),
    "no records": (put("history/iteration", data=np.zeros(0, int)), "history/iteration in .* which does not fit"),
    "short column": (put("history/total", data=np.ones(4)), r"history/total in .* shape \[4\] instead of \[5\]"),
    "scalar total": (put("history/total", data=1.0), r"history/total in .* shape \[\] instead of \[5\]"),
    "short slopes": (put("slopes/layer_1", data=np.ones((5, 3))), r"shape \[5, 3\] instead of \[5, 4\]"),
    "short times": (put("error_at_times/u", data=np.ones(3)), r"error_at_times/u in .* \[3\] instead of \[2\]"),
    "scalar text array": (put("spec/yaml", data=np.array([b"a", b"b"])), "spec/yaml in .* is not text"),
    # Types.
    "text for numbers": (put("solution/u", data=np.full((6, 3), b"1.0")), "solution/u in .* holds no numbers"),
    "texts of any length": (put("solution/u", data=np.full((6, 3), "1", object), dtype=h5py.string_dtype()), PLAIN),
    "references": (put("solution/u", (6, 3), h5py.ref_dtype), PLAIN),
    "region references": (put("solution/u", (6, 3), h5py.regionref_dtype), PLAIN),
    "numbers of any length": (put("solution/u", (6, 3), h5py.vlen_dtype(float)), PLAIN),
    "compound": (put("solution/u", (6, 3), [("a", "f8")]), PLAIN),
    "enum": (put("solution/u", (6, 3), h5py.enum_dtype({"a": 1})), PLAIN),
    "truth values": (put("solution/u", data=np.ones((6, 3), bool)), PLAIN),
    "complex": (put("solution/u", data=np.ones((6, 3), complex)), PLAIN),
    "opaque": (put("solution/u", (6, 3), "V8"), PLAIN),
    "dates": (put("solution/u", (6, 3), h5py.opaque_dtype("M8[s]")), PLAIN),
    "subarrays": (put("solution/u", (6,), np.dtype(("f8", (3,)))), PLAIN),
    "bit fields": (low("solution/u", h5t.STD_B64LE), PLAIN),
    "half precision": (put("solution/u", data=np.ones((6, 3), "f2")), PLAIN),
    "long double": (put("solution/u", data=np.ones((6, 3), np.longdouble)), PLAIN),
    "bytes": (put("solution/u", data=np.ones((6, 3), "u1")), PLAIN),
    "odd precision": (low("solution/u", made(h5t.IEEE_F64LE, lambda kind: kind.set_ebias(7))), PLAIN),
    "type nested deep": (lambda f: low("solution/u", nested(1500))(f), PLAIN),
    "integers": (put("solution/u", data=np.ones((6, 3), int)), "solution/u in .* holds no numbers"),
    "iterations as floats": (put("history/iteration", data=np.arange(5.0)), "holds no integers"),
    "iterations as NaN": (put("history/iteration", data=np.full(5, np.nan)), "holds no integers"),
    "text of any length": (put("spec/settings", data="{}"), f"spec/settings in .* {PLAIN}"),
    "text is a number": (put("spec/settings", data=3.0), "spec/settings in .* is not text"),
    # Objects of the wrong kind.
    "group for a dataset": (link("solution/u", "history"), "has no dataset solution/u"),
    "type for a dataset": (link("solution/u", np.dtype("f8")), "has no dataset solution/u"),
    "type for a group": (link("history/terms", np.dtype("f8")), "has no group history/terms"),
    "dataset for a group": (link("history/terms", "history/total"), "has no group history/terms"),
    "dataset for the reference": (link("reference", "history/total"), "has no dataset reference/x"),
    "dataset for the network": (link("network", "history/total"), "has no group network"),
    "no solution": (without("solution"), "has no dataset solution/x|solution/x"),
    "no history": (without("history"), "has no dataset history/iteration"),
    "no term": (without("history/terms/a"), "history/terms in .* holds other terms than the spec has"),
    "no points": (without("checkpoint"), "checkpoint/points in .* holds other terms"),
    "no settings": (without("spec"), "has no dataset spec/"),
    # Names.
    "strange field": (lambda f: f.update({"solution/ü\n\x1b[31m": f["solution/u"]}), "solution in .* holds other fields"),
    "name that is not text": (name_that_is_no_text, "solution in .* has a member whose name is not text"),
    "strange term": (lambda f: f.update({"history/terms/ä.b": f["history/total"]}), "holds other terms than the spec has"),
    "crowded group": (crowd("history/terms", 100_000), r"history/terms in .* has 100,004 members; it is not read"),
    "crowded points": (crowd("checkpoint/points", 9_000), "holds other terms than the spec has"),
    # Attributes.
    "no title": (without("@title"), "lacks the attribute title"),
    "number for a text": (attribute("title", 3), "the attribute title in .* is not text"),
    "text for a number": (attribute("iterations", "4"), "the attribute iterations in .* is not an integer"),
    "float for a count": (attribute("iterations", 4.0), "is not an integer"),
    "NaN for a count": (attribute("n_parameters", np.nan), "n_parameters in .* is not an integer"),
    "negative count": (attribute("iterations", -4), "the attribute iterations in .* is -4, which is not a count"),
    "slopes absorbed before the start": (attribute("slopes_absorbed_at", -2), "slopes_absorbed_at in .* is -2, which is"),
    "slopes absorbed twice": (
        attribute("slopes_absorbed", 2, "network"),
        "slopes_absorbed of network in .* is 2; at most 1 has a meaning",
    ),
    "array for a number": (attribute("iterations", [4]), "is not an integer"),
    "huge array for a number": (attribute("seed", np.zeros(7000)), "is not an integer"),
    "array for a text": (attribute("title", ["a", "b"], dtype=h5py.string_dtype()), "title in .* is not text"),
    "nothing for a text": (attribute("title", h5py.Empty("S3")), "title in .* is not text"),
    "nothing for a number": (attribute("seed", h5py.Empty("i8")), "seed in .* is not an integer"),
    "truth value for a count": (attribute("tf32", True), "tf32 in .* is not an integer"),
    "enum for a count": (attribute("tf32", 1, dtype=h5py.enum_dtype({"a": 1})), "tf32 in .* is not an integer"),
    "complex for a number": (attribute("max_error", 1j), "max_error in .* is not a number"),
    "fixed text": (attribute("title", np.bytes_(b"abc")), "title in .* is not text"),
    "reference for a number": (lambda f: f.attrs.create("seed", f["spec"].ref, dtype=h5py.ref_dtype), "is not an integer"),
    "reference for a text": (lambda f: f.attrs.create("title", f["spec"].ref, dtype=h5py.ref_dtype), "is not text"),
    "nested type for a number": (lambda f: low_attribute("seed", nested(1500))(f), "seed in .* is not an integer"),
    "bytes that are no text": (attribute("title", b"\xff\xfe", dtype=h5py.string_dtype()), "title in .* is damaged: 'utf-8'"),
    "long text": (attribute("title", "x" * 60_000 * 2), "title in .* is longer than 100,000 characters"),
    "no time": (attribute("wall_time_s", np.nan), "wall_time_s in .* is nan, which is not a time"),
    "endless time": (attribute("wall_time_s", np.inf), "wall_time_s in .* is inf, which is not a time"),
    "wrong attribute of a group": (attribute("n", "5", "network"), "the attribute n of network in .* is not a number"),
    "array in a group": (attribute("method", [1.0], "reference"), "attribute method of reference in .* is not text"),
    "no attributes in a group": (lambda f: f["error"].attrs.clear(), "lacks the attribute relative_l2_u of error"),
    # Settings.
    "text that is not UTF-8": (text("spec/yaml", b"\xff\xfe\xff"), "spec/yaml in .* is damaged: 'utf-8' codec"),
    "settings that are not UTF-8": (text("spec/settings", b"{\xff}"), "spec/settings in .*"),
    "no JSON": (text("spec/settings", b"{"), "spec/settings in .* is not JSON"),
    "empty settings": (text("spec/settings", b"\0"), "spec/settings in .* is not JSON"),
    "a list": (text("spec/settings", b"[1, 2]"), "spec/settings in .* is not a mapping"),
    "deep JSON": (text("spec/settings", deep(100_000)), "spec/settings in .* is not JSON"),
    "rather deep JSON": (text("spec/settings", deep(900)), "spec/settings in .* (is not JSON|does not fit)"),
    "NaN in JSON": (settings(lambda s: s["slopes"].update(n=float("nan"))), "spec/settings in .* is not JSON"),
    "a surrogate": (settings(lambda s: s.update(title="\ud800")), "spec/settings in .* is not JSON"),
    "a number of 5000 digits": (text("spec/settings", b'{"seed": ' + b"9" * 5000 + b"}"), "is not JSON"),
    "a number of 4000 digits": (settings(lambda s: s["slopes"].update(n=10**4000)), "does not fit this laaf"),
    "a huge seed": (settings(lambda s: s.update(seed=10**4000)), MISFIT.format("seed")),
    "long settings": (text("spec/settings", b'{"unknowns": [' + b"1, " * 400_000 + b"1]}"), "at most 1,000,000 are"),
    "many faults": (text("spec/settings", b'{"unknowns": [' + b"1, " * 330_000 + b"1]}"), "does not fit this laaf"),
    "wrong key": (settings(lambda s: s["network"].update(hiden=[4])), MISFIT.format("network.hiden")),
    "strange key": (settings(lambda s: s["network"].update({"\x1b[31m" + "k" * 999: 1})), "does not fit this laaf"),
    "no unknowns": (settings(lambda s: s.pop("unknowns")), MISFIT.format("unknowns")),
    "widths that are no numbers": (settings(lambda s: s["network"].update(hidden="ab")), MISFIT.format("network.hidden")),
    "wide network": (settings(lambda s: s["network"].update(hidden=[4096] * 64)), r"instead of \[5, 4096\]"),
    "endless network": (settings(lambda s: s["network"].update(hidden=[1] * 65)), MISFIT.format("network.hidden")),
    "more layers": (settings(lambda s: s["network"].update(hidden=[4, 3, 2])), "has no dataset slopes/layer_3"),
    "another kind": (settings(lambda s: s["slopes"].update(kind="gaaf")), r"slopes/layer_1 .* instead of \[5, 1\]"),
    "another unknown": (settings(lambda s: s.update(unknowns=["w"])), "solution in .* holds other fields than the"),
    "more unknowns": (settings(lambda s: s.update(unknowns=["u", "w"])), "solution in .* holds other fields than"),
    "unknown twice": (settings(lambda s: s.update(unknowns=["u", "u"])), "gives one name to two"),
    "unknown is a coordinate": (settings(lambda s: s.update(unknowns=["x"])), "gives one name to two"),
    "unknown with a slash": (settings(lambda s: s.update(unknowns=["../u"])), MISFIT.format("unknowns.0")),
    "another coordinate": (settings(lambda s: s["coordinates"].update(y=["0", "1"])), "has no dataset solution/y"),
    "other terms": (settings(lambda s: s["equations"].update(b="u = 0")), "history/terms in .* holds other terms"),
    # Values.
    "endless axis": (put("solution/x", data=np.full(6, np.inf)), "solution/x in .* holds values that are not finite"),
    "time is NaN": (put("error_at_times/t", data=np.full(2, np.nan)), "error_at_times/t in .* are not finite"),
    "negative iterations": (put("history/iteration", data=np.arange(-1, 4)), "does not count upwards"),
    "iterations that stand": (put("history/iteration", data=np.zeros(5, int)), "does not count upwards"),
    "iterations that overflow": (
        put("history/iteration", data=np.array([0, 2**63 - 1, -(2**63), 1, 2])),
        "does not count upwards",
    ),
    "phase that is not": (put("history/phase", data=np.full(5, 1)), "history/phase in .* names a phase that the spec"),
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


def copy_of(whole: Path, path: Path, spoil: Spoil) -> Path:
    path.write_bytes(whole.read_bytes())
    with resealed(path) as file:
        spoil(file)
    return path


@pytest.fixture(scope="module", params=["sealed", "unsealed"])
def told(folder: Path, request: pytest.FixtureRequest) -> dict[str, Told]:
    """What is said of each spoiled file."""
    paths = [
        copy_of(GOLDEN, folder / f"{name}.h5", spoil) for name, (spoil, _said) in SPOILED.items()
    ]
    if request.param == "unsealed":
        for path in paths:
            unsealed(path)
    ends = examined(paths)
    for path in paths:
        path.unlink()
    return ends


def check(told: Told, path: Path, expected: str) -> None:
    assert told.end == REFUSED, told
    assert re.search(expected, told.said), told
    assert is_one_sentence(told.said, path), told


@pytest.mark.parametrize("name", SPOILED)
def test_spoiled_file(told: dict[str, Told], folder: Path, name: str) -> None:
    check(told[f"{name}.h5"], folder / f"{name}.h5", SPOILED[name][1])


# --- What HDF5 allows and laaf reads -------------------------------------------------------------------------------

READABLE: dict[str, Spoil] = {
    "as it is": lambda _file: None,
    "packed": put("solution/u", data=np.ones((6, 3)), compression="gzip"),
    "packed as laaf does": put(
        "solution/u", data=np.ones((6, 3)), compression="gzip", shuffle=True, fletcher32=True, chunks=(4, 2)
    ),
    "only shuffled": put("solution/u", data=np.arange(18.0).reshape(6, 3), shuffle=True),
    "only in chunks": put("solution/u", data=np.arange(18.0).reshape(6, 3), chunks=(4, 2)),
    "with a checksum": put("solution/u", data=np.arange(18.0).reshape(6, 3), fletcher32=True, chunks=(4, 2)),
    "in a chunk larger than itself": put(
        "solution/u", data=np.arange(18.0).reshape(6, 3), chunks=(8, 8), maxshape=(None, None), compression="gzip"
    ),
    "big-endian": put("solution/u", data=np.ones((6, 3), ">f8")),
    "big-endian and packed": put("solution/u", data=np.ones((6, 3), ">f8"), compression="gzip", shuffle=True),
    "committed type": lambda f: (f.update(kind=np.dtype("f8")), put("solution/u", data=np.ones((6, 3)), dtype=f["kind"])(f)),
    "strangers beside": lambda f: (f.update(link=h5py.ExternalLink("/nowhere", "x")), f.update(more=h5py.SoftLink("/"))),
    "no reference": lambda f: [f.pop(name) for name in ("reference", "error", "error_at_times")],
    "NaN in fields": put("solution/u", data=np.full((6, 3), np.nan)),
}  # fmt: skip


@pytest.mark.parametrize("name", READABLE)
def test_readable_file(tmp_path: Path, name: str) -> None:
    path = copy_of(GOLDEN, tmp_path / "run.h5", READABLE[name])
    read_everything(path)
    with RunFile(path) as run, h5py.File(path) as file:
        solution = run.grid("solution")
        assert solution is not None
        assert solution.fields["u"].dtype == np.float64
        np.testing.assert_array_equal(solution.fields["u"], file["solution/u"][()])


def test_packed_data_are_read_as_hdf5_reads_them(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(37, 5, 23))
    with (
        h5py.File(GOLDEN) as golden,
        h5py.File(tmp_path / "run.h5", "w", userblock_size=SIZE) as file,
    ):
        file.attrs.update(golden.attrs)
        for i, chunks in enumerate([(37, 5, 23), (10, 2, 7), (1, 1, 1), (36, 4, 22)]):
            for j, how in enumerate([{}, {"shuffle": True}, {"shuffle": True, "fletcher32": True}]):
                for dtype in ("<f4", ">f8", "<i8"):
                    data = (values * 1e3).astype(dtype)
                    file.create_dataset(
                        f"{i}{j}{dtype}", data=data, chunks=chunks, compression="gzip", **how
                    )
    seal(tmp_path / "run.h5")
    with RunFile(tmp_path / "run.h5") as run:
        for name in run.names("/"):
            np.testing.assert_array_equal(run.array(name), (values * 1e3).astype(name[2:]))
            assert run.array(name).dtype.isnative


# --- Other files ---------------------------------------------------------------------------------------------------


def leading_out(other: Path) -> dict[str, Spoil]:
    """Ways to lead to another file, which holds exactly what is missed here."""
    return {
        "external link": link("solution/u", h5py.ExternalLink(str(other), "/solution/u")),
        "external group": link("history", h5py.ExternalLink(str(other), "/history")),
        "external file": link("solution", h5py.ExternalLink(str(other), "/")),
        "link to an external link": lambda f: (
            f.update(out=h5py.ExternalLink(str(other), "/solution/u")),
            link("solution/u", h5py.SoftLink("/out"))(f),
        ),
        "external storage": put("solution/u", (6, 3), "f8", external=[(str(other), 0, 144)]),
        "endless external storage": put(
            "solution/u", (6, 3), "f8", external=[(str(other), 0, h5py.h5f.UNLIMITED)]
        ),
        "external text": put("spec/settings", (1,), "S64", external=[(str(other), 0, 64)]),
        "virtual": virtual("solution/u", other, (6, 3), (6, 3)),
        "endless virtual": virtual("solution/u", other, (6, 3), (6, None)),
        "virtual iterations": virtual("history/iteration", other, (5,), (None,)),
    }


ELSEWHERE = "is a link, and those are not followed|lies in another file, and those are not opened"


def test_no_pipe_is_opened(tmp_path: Path) -> None:
    """Opening one would wait for ever."""
    pipe = tmp_path / "other"
    os.mkfifo(pipe)
    paths = [
        copy_of(GOLDEN, tmp_path / f"{name}.h5", spoil) for name, spoil in leading_out(pipe).items()
    ]
    told = examined(paths)
    for path in paths:
        check(told[path.name], path, ELSEWHERE)


@pytest.mark.skipif(
    sys.platform != "linux", reason="inotify, which tells of opened files, is Linux's"
)
@pytest.mark.parametrize("name", leading_out(Path()))
def test_no_other_file_is_opened(tmp_path: Path, name: str) -> None:
    other, path = tmp_path / "other.h5", tmp_path / "run.h5"
    other.write_bytes(GOLDEN.read_bytes())
    copy_of(GOLDEN, path, leading_out(other)[name])
    libc = ctypes.CDLL(None)
    is_opened = 0x20
    watch = libc.inotify_init1(os.O_NONBLOCK)
    try:
        assert libc.inotify_add_watch(watch, os.fsencode(other), is_opened) >= 0
        with pytest.raises(RunFileError) as caught:
            read_everything(path)
        assert re.search(ELSEWHERE, str(caught.value))
        with pytest.raises(BlockingIOError):
            os.read(watch, 1000)
        other.open("rb").close()
        assert os.read(watch, 1000), "the watch works"
    finally:
        os.close(watch)


# --- Files that are no run files at all ----------------------------------------------------------------------------


def foreign(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = 1


def of_version(version: Any, *, is_sealed: bool = False) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with h5py.File(path, "w", userblock_size=SIZE if is_sealed else 0) as file:
            file.attrs["format_version"] = version
        if is_sealed:
            seal(path)

    return make


def huge(path: Path) -> None:
    """A file that takes no room: all of it is a hole."""
    path.touch()
    os.truncate(path, MAX_FILE_BYTES + 1)


def secret(path: Path) -> None:
    path.write_bytes(GOLDEN.read_bytes())
    path.chmod(0)


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(os.path.relpath(path))  # the name of a socket is short


STRANGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda _path: None, "there is no file"),
    "empty": (lambda path: path.touch(), "is empty"),
    "text": (
        lambda path: path.write_text("hello\n" * 99),
        "cannot be read as HDF5: file signature not found",
    ),
    "zeros": (
        lambda path: path.write_bytes(bytes(100_000)),
        "cannot be read as HDF5: file signature not found",
    ),
    "signature": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n"), "cannot be read as HDF5"),
    "foreign": (foreign, "was not written by laaf: it has no format_version"),
    "version 5": (
        of_version(5),
        "has format 5, this laaf reads formats 6 to 7; run its spec again",
    ),
    "older": (
        of_version(1),
        f"has format 1, this laaf reads formats 6 to {FORMAT_VERSION}; run its spec again to replace it",
    ),
    "newer": (
        of_version(99),
        f"has format 99, this laaf reads formats 6 to {FORMAT_VERSION}; a newer laaf reads it",
    ),
    "newer and sealed": (
        of_version(99, is_sealed=True),
        f"99, this laaf reads formats 6 to {FORMAT_VERSION}; a newer laaf",
    ),
    "version of text": (
        of_version(str(FORMAT_VERSION)),
        "the attribute format_version in .* is not an integer",
    ),
    "many versions": (
        of_version([FORMAT_VERSION] * 2),
        "the attribute format_version in .* is not an integer",
    ),
    "endless version": (
        of_version(np.uint64(2**64 - 1)),
        "has format 18446744073709551615, this laaf",
    ),
    "of this version": (of_version(FORMAT_VERSION), "lacks the attribute task"),
    "only a version": (of_version(FORMAT_VERSION, is_sealed=True), "lacks the attribute task"),
    "huge": (huge, "has 10,000,000,001 bytes; at most 10,000,000,000 are read"),
    "directory": (lambda path: path.mkdir(), r"is a folder; a run file is one of the \*\.h5 in it"),
    "pipe": (os.mkfifo, "is not an ordinary file, and a run file is"),
    "socket": (bind, "is not an ordinary file, and a run file is"),
    "device": (
        lambda path: path.symlink_to("/dev/zero"),
        "is not an ordinary file, and a run file is",
    ),
    "system file": (lambda path: path.symlink_to("/proc/kmsg"), "is empty|cannot be opened"),
    "dangling": (lambda path: path.symlink_to("nowhere"), "there is no file"),
    "circular": (lambda path: path.symlink_to(path), "there is no file"),
    "no permission": (secret, "cannot be opened: Permission denied"),
    "n" * 300: (lambda _path: None, "cannot be opened: File name too long"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_strange_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    if name == "no permission" and os.geteuid() == 0:
        pytest.skip("root may read everything")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    STRANGE[name][0](path)
    with pytest.raises(RunFileError) as caught:
        read_everything(path)
    assert caught.value.exit_code == 4
    assert re.search(STRANGE[name][1], str(caught.value))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "name", ["a b", "ü", "a\nb", "a\x1b[31mb", "a\udcffb", "[red]a", "-n", "a\u202eb"]
)
def test_strange_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(GOLDEN.read_bytes())
    read_everything(path)
    path.write_text("hello")
    with pytest.raises(RunFileError, match="cannot be read as HDF5") as caught:
        read_everything(path)
    assert str(caught.value).isprintable()


# --- Chance --------------------------------------------------------------------------------------------------------


def with_heap(whole: bytes, change: Callable[[bytearray, int, int], None]) -> bytes:
    """The file with the first heap of texts changed; the places are those of the heap and of its last piece."""
    content = bytearray(whole)
    start = at = last = content.index(b"GCOL")
    at += 16
    while at + 16 <= start + int.from_bytes(content[start + 8 : start + 16], "little"):
        size = int.from_bytes(content[at + 8 : at + 16], "little")
        last, at = at, at + (16 + -(-size // 8) * 8 if content[at] else size)
    change(content, start, last)
    return bytes(content)


def no_size(content: bytearray, _start: int, last: int) -> None:
    content[last : last + 16] = bytes(16)


def size_that_wraps(content: bytearray, start: int, _last: int) -> None:
    content[start + 16 + 8 : start + 32] = (2**64 - 16).to_bytes(8, "little")


def longer_heap(content: bytearray, start: int, _last: int) -> None:
    content[start + 8 : start + 16] = (2**40).to_bytes(8, "little")


@pytest.mark.parametrize("is_sealed", [True, False])
def test_heap_that_has_no_end(tmp_path: Path, is_sealed: bool) -> None:
    """HDF5 2.0 would walk for ever in the first of them."""
    paths = []
    for change in (no_size, size_that_wraps, longer_heap):
        paths.append(tmp_path / f"{change.__name__}.h5")
        paths[-1].write_bytes(with_heap(GOLDEN.read_bytes(), change))
        if is_sealed:
            seal(paths[-1])
    told = examined(paths)
    for path in paths:
        check(told[path.name], path, "is damaged: its attributes of text cannot be read")


@pytest.mark.parametrize("again", [False, True], ids=["damaged", "damaged and sealed again"])
def test_damage_by_chance(tmp_path: Path, again: bool) -> None:
    counts = counted(tmp_path, 100, seed=20, resealed=again)
    assert counts.failed == []
    assert counts.refused + counts.unchanged + counts.read == 100
    assert min(counts.refused, counts.read) > 15, "some are refused, some are read"


@pytest.mark.parametrize(
    "name", ["text", "newer", "foreign", "terabytes of history", "circular link", "deep JSON"]
)
def test_command_refuses_in_one_line(laaf: Laaf, tmp_path: Path, name: str) -> None:
    path = tmp_path / "strange.h5"
    if name in STRANGE:
        STRANGE[name][0](path)
    else:
        copy_of(GOLDEN, path, SPOILED[name][0])
    outcome = laaf("show", path)
    assert outcome.code == 4
    assert "strange.h5" in outcome.err
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
