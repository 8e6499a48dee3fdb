"""Writes the generated parts of the documentation, and the schemas, from the code's own tables and types.

    python docs/generate.py            rewrites them
    python docs/generate.py --check    exits with 1 and names those that are stale

A generated part stands between `<!-- generated: NAME -->` and `<!-- end generated -->` in README.md or in a
page of docs/; NAME is a row of `BLOCKS`. The files of docs/schemas/ are generated as a whole.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import json
import re
import sys
import tempfile
import types
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np
from pydantic import BaseModel, BeforeValidator, StrictStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typer.models import ArgumentInfo, OptionInfo

from laaf_cli.cli.app import COMMANDS
from laaf_cli.cli.outputs import records
from laaf_cli.cli.shell_words import in_shell_words
from laaf_cli.cli.spec_schema import spec_schema
from laaf_cli.errors import ExitCode, LaafError
from laaf_cli.expression import simplify, tokens
from laaf_cli.expression.functions import FUNCTIONS, MAX_EXPONENT
from laaf_cli.files.export import FORMATS as EXPORT_FORMATS
from laaf_cli.files.target import check_target
from laaf_cli.images.augmentation import AUGMENTATIONS, Affine, AugmentationStep, Crop, Flip
from laaf_cli.images.data import DATASETS, ImageData, Images
from laaf_cli.images.models.table import MODELS
from laaf_cli.images.plan import WRITTEN as IMAGES
from laaf_cli.images.plan import make_image_plan
from laaf_cli.images.report.figures import IMAGE_KINDS
from laaf_cli.images.runfile.layout import IMAGE_ATTRIBUTES, IMAGE_GROUP_ATTRIBUTES, IMAGE_LAYOUT
from laaf_cli.images.spec import ImageModelSpec
from laaf_cli.json_record import record_schema
from laaf_cli.multi_index import MAX_ORDER
from laaf_cli.network.activations import ACTIVATIONS
from laaf_cli.network.initializers import INITIALIZERS
from laaf_cli.network.slope_kinds import NLAAF
from laaf_cli.problem.samplers import SAMPLERS
from laaf_cli.problem.tables import FORMATS
from laaf_cli.references import AUTO, NO_REFERENCE, REFERENCES
from laaf_cli.report.figures import KINDS
from laaf_cli.runfile import (
    ATTRIBUTES,
    COMMON_ATTRIBUTES,
    FORMAT_VERSION,
    GROUP_ATTRIBUTES,
    LAYOUT,
    Attribute,
    Entry,
)
from laaf_cli.runs.plan import WRITTEN as EQUATION
from laaf_cli.runs.plan import make_plan
from laaf_cli.seeds import random_stream
from laaf_cli.spec import KeyPath, Text, bundled, models, source
from laaf_cli.spec.schema import Schema
from laaf_cli.spec.source import read_text, read_yaml
from laaf_cli.training.balance import BALANCES
from laaf_cli.training.optimizers import OPTIMIZERS
from laaf_cli.training.phases import SCHEDULES
from laaf_cli.training.resampling import RESAMPLERS

DOCS = Path(__file__).resolve().parent
README = DOCS.parent / "README.md"
FIRST_PAGE = DOCS / "getting-started.md"
FORM_PAGE = DOCS / "problem.md"
SCHEMAS = DOCS / "schemas"

_MARKED = re.compile(
    r"(?P<start><!-- generated: (?P<name>[a-z-]+) -->\n)(?P<body>.*?)(?P<end><!-- end generated -->)",
    re.DOTALL,
)


# Markdown


def table(headers: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table; a bar inside a cell is escaped."""
    headers = list(headers)
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def listing(rows: Iterable[tuple[str, str]]) -> str:
    """A list of what things are."""
    return "\n".join(f"- {what}: {meaning}" for what, meaning in rows)


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def codes(words: Iterable[str]) -> str:
    return ", ".join(map(code, words))


def fenced(text: str, language: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```"


# The spec


Names = Mapping[KeyPath, tuple[str, ...]]
"""The names of a table that a key takes, by its path."""


def spec_keys() -> str:
    return _keys(EQUATION.spec, EQUATION.choices)


def image_spec_keys() -> str:
    """Without the parts that specs of equations have as well."""
    return _keys(IMAGES.spec, IMAGES.choices, without=frozenset(_models(EQUATION.spec)))


def _models(spec: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for _, _, annotation in _fields(spec):
        if (nested := _nested(annotation)) is not None:
            yield nested[1]
            yield from _models(nested[1])


def _keys(
    spec: type[BaseModel], known: Names, without: frozenset[type[BaseModel]] = frozenset()
) -> str:
    """One section per model of the spec: key, type, default, meaning."""
    sections: list[tuple[str, type[BaseModel]]] = [("", spec)]
    parts = []
    while sections:
        path, model = sections.pop(0)
        rows, inside = [], []
        for name, field, annotation in _fields(model):
            inner = f"{path}.{name}" if path else name
            nested = _nested(annotation)
            if nested is not None:
                step, inner_model = nested
                if inner_model not in without:
                    inside.append((inner + step, inner_model))
            value = _type(annotation, inner, known) + _default(field)
            rows.append((f"{code(name)} ({value})", field.description or ""))
        sections = [*inside, *sections]
        title = f"### `{path}`" if path else "### The whole spec"
        parts.append(f"{title}\n\n{listing(rows)}")
    return "\n\n".join(parts)


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo, Any]]:
    """The fields of a model, `title` and its like first, each with its annotation as it is written."""
    hints = get_type_hints(model, include_extras=True)
    own = [name for name in ("title", "source") if name in model.model_fields]
    for name in [*own, *(name for name in model.model_fields if name not in own)]:
        yield name, model.model_fields[name], hints[name]


def _nested(annotation: Any) -> tuple[str, type[BaseModel]] | None:
    """The model inside an annotation, and the step of the path that leads into its dict or list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "", annotation
    step = (
        ".NAME"
        if get_origin(annotation) is dict
        else ".0"
        if get_origin(annotation) is list
        else ""
    )
    for argument in get_args(annotation):
        found = _nested(argument)
        if found is not None:
            return step + found[0], found[1]
    return None


def _aliases() -> list[tuple[Any, str]]:
    return [
        (models.Expression, "expression"),
        (models.Name, "name"),
        (models.Label, "label"),
        (models.Positive, "number > 0"),
        (models.NotNegative, "number ≥ 0"),
        (models.Real, "number"),
        (models.Count, "integer ≥ 1"),
        (StrictStr, "text"),
    ]


# What a value may be besides its type, by the function that turns the short form into the long one.
_SHORT_FORMS = {
    "_one_or_many": "{}, or one",
    "_recovery": "{} or boolean",
    "_schedule": "name or {}",
    "_reference": "name or {}",
    "_balance": "name or {}",
    "_harmonics": "`true` or {}",
    "_forms": "`auto` or {}",
}


def _type(annotation: Any, path: str, known: Names) -> str:
    """An annotation in words; the names of a table where the key takes one."""
    pattern = tuple("*" if step.isdecimal() else step for step in path.split("."))
    if pattern not in known:
        return _words(annotation)
    besides = (
        ", or mapping"
        if _nested(annotation)
        else ", or a file"
        if pattern in IMAGES.or_file
        else ""
    )
    return codes(known[pattern]) + besides


def _words(annotation: Any) -> str:
    for alias, words in _aliases():
        if annotation == alias:
            return words
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _annotated(arguments[0], arguments[1:])
    if origin in (Union, types.UnionType):
        return " or ".join(_words(option) for option in arguments if option is not type(None))
    if origin is Literal:
        return codes(map(str, arguments))
    if origin is list:
        return f"list of {_plural(_words(arguments[0]))}"
    if origin is dict:
        return f"mapping of {_plural(_words(arguments[0]))} to {_plural(_words(arguments[1]))}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping"
    return {int: "integer", float: "number", str: "text", bool: "boolean"}[annotation]


def _plural(words: str) -> str:
    """`list of 2 expressions` → `lists of 2 expressions`: the first noun takes the s."""
    return re.sub(r"^(\w+)", r"\1s", words)


def _annotated(base: Any, metadata: tuple[Any, ...]) -> str:
    """The words of a type with its limits and its short form."""
    words = _words(base)
    limits: dict[str, Any] = {}
    for item in metadata:
        if isinstance(item, BeforeValidator):
            words = _SHORT_FORMS.get(getattr(item.func, "__name__", ""), "{}").format(words)
        for limit in item.metadata if isinstance(item, FieldInfo) else ():
            limits |= {key: getattr(limit, key) for key in _LIMITS if hasattr(limit, key)}
    if limits.get("max_length") == models.MAX_ENTRIES:  # told once, for all
        del limits["max_length"]
    least, most = limits.get("min_length"), limits.get("max_length")
    if most is not None and least == most:
        return words.replace("list of", f"list of {most}", 1)
    return words + "".join(
        _LIMITS[key].format(value) for key, value in limits.items() if value < UNTOLD
    )


UNTOLD = 1e9
"""A limit that nobody comes near."""

_LIMITS = {
    "gt": " > {:g}",
    "ge": " ≥ {:g}",
    "lt": " and < {:g}",
    "le": " and ≤ {:g}",
    "min_length": "",
    "max_length": ", at most {}",
}


def _default(field: FieldInfo) -> str:
    """What stands behind the type of a key; nothing where its default is nothing, or its own keys'."""
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return ", **required**"
    if isinstance(value, BaseModel):
        given = {
            key: item for key, item in value.model_dump().items() if key in value.model_fields_set
        }
        return f"; default {code(str(next(iter(given.values()))))}" if given else ""
    if isinstance(value, list) and value and isinstance(value[0], BaseModel):
        shown = [
            ", ".join(f"{k}: {v}" for k, v in item.model_dump(exclude_unset=True).items())
            for item in value
        ]
        return f"; default {code('[' + ', '.join(f'{{{item}}}' for item in shown) + ']')}"
    if value in (None, "", [], {}) or value is False:
        return ""
    text = f"{value:g}" if isinstance(value, float) and value < 1e4 else str(value).replace("'", "")
    return f"; default {code(text)}"


def spec_limits() -> str:
    return table(
        ("what", "limit"),
        [
            ("size of the file", f"{source.MAX_BYTES:,} bytes"),
            ("nesting", f"{source.MAX_NESTING} levels"),
            ("entries of a mapping or a list", f"{models.MAX_ENTRIES}, where nothing else is said"),
            ("order of a derivative", str(MAX_ORDER)),
        ],
    )


def activations() -> str:
    """Those of one highest order and reason in one row."""
    alike: dict[tuple[int, str], list[str]] = {}
    for row in ACTIVATIONS.values():
        alike.setdefault((row.max_order, row.why or "smooth"), []).append(row.name)
    rows = ((codes(names), str(order), why) for (order, why), names in alike.items())
    return table(("activation", "highest order of an equation", "why"), rows)


def initializers() -> str:
    return _documented(INITIALIZERS)


def samplers() -> str:
    return _documented({name: row.draw for name, row in SAMPLERS.items()})


def optimizers() -> str:
    rows = [
        (code(name), row.meaning, codes(row.keys) or "–", row.source)
        for name, row in OPTIMIZERS.items()
    ]
    bounds = {name: row.max_parameters for name, row in OPTIMIZERS.items()}
    limits = [
        f"{codes(name for name in bounds if bounds[name] == most)}: at most {most:,}"
        for most in dict.fromkeys(filter(None, bounds.values()))
    ]
    limit = (
        f"Networks are limited in their parameters where a matrix is kept ({'; '.join(limits)})."
    )
    return table(("name", "meaning", "keys", "source"), rows) + "\n\n" + limit


def _paragraphs(text: str) -> list[str]:
    """Each on one line."""
    return [" ".join(part.split()) for part in text.split("\n\n")]


def _documented(rows: Mapping[str, Callable[..., Any]]) -> str:
    """A list of functions by name, each with the first paragraph of its docstring."""
    undocumented = [name for name, function in rows.items() if not inspect.getdoc(function)]
    if undocumented:
        raise SystemExit(f"these rows have no docstring: {', '.join(undocumented)}")
    sentences = (
        (code(name), _paragraphs(str(inspect.getdoc(function)))[0])
        for name, function in rows.items()
    )
    return listing((name, sentence.removesuffix(".")) for name, sentence in sentences)


def schedules() -> str:
    rows = [(code(name), codes(law.keys) or "–", law.meaning) for name, law in SCHEDULES.items()]
    return table(("kind", "keys", "learning rate"), rows)


def resamplers() -> str:
    rows = [
        (code(name), row.meaning, codes(row.keys) or "–", row.source)
        for name, row in RESAMPLERS.items()
    ]
    return table(("method", "meaning", "keys", "source"), rows)


def balances() -> str:
    rows = [
        (code(name), row.meaning, codes(row.keys) or "–", row.source)
        for name, row in BALANCES.items()
    ]
    return table(("method", "meaning", "keys", "source"), rows)


def references() -> str:
    rows = [(code(name), kind.meaning) for name, kind in REFERENCES.items()]
    auto = (code(AUTO), "default: `spectral` or `finite-elements`, else none, with the reason")
    none = (code(NO_REFERENCE), "no reference: the error is reported as unknown")
    return table(("kind", "meaning"), [auto, *rows, none])


def reference_estimates() -> str:
    """What `tests/benchmarks/reference_estimates.py` found."""
    rows = json.loads((DOCS / "reference-estimates.json").read_text(encoding="utf-8"))
    solved = [row for row in rows if not row["refused"]]
    ratios = sorted((row["error"] / row["estimate"], row["name"]) for row in solved)
    worst, name = ratios[-1]
    inside = sum(ratio <= 1 for ratio, _ in ratios)
    return (
        "`python tests/benchmarks/reference_estimates.py` makes problems with known solutions that are narrow, fast, kinked\n"
        "or broken at irrational places, for every operation of the [expressions](expressions.md), and compares. Of "
        f"{len(rows)}\nproblems {len(solved)} are solved and {len(rows) - len(solved)} refused. In {inside} of those solved "
        f"the error is below the estimate; at most it is\n{worst:.1f} times as large ({name}).\n"
    )


def data_formats() -> str:
    return codes(FORMATS)


# Images


def data_sets() -> str:
    """A row for each data set: what it holds, what is fetched, and who published it."""
    rows = []
    for name, row in DATASETS.items():
        n_train, n_test = (sum(part.n for part in parts) for parts in (row.train, row.test))
        channels, height, width = row.shape
        pieces = dict.fromkeys(piece.fetched for part in row.parts for piece in part.pieces)
        megabytes = sum(file.size or 0 for file in pieces) / 1e6
        what = f"{height}×{width}, {'grey' if channels == 1 else 'colour'}"
        model = default_model(name)
        rows.append(
            (
                code(name),
                f"{n_train:,} + {n_test:,}",
                what,
                str(len(row.classes)),
                f"{megabytes:.3g} MB",
                code(model),
            )
        )
    return table(
        ("name", "training + test images", "pixels", "classes", "to fetch", "network"), rows
    )


def default_model(name: str) -> str:
    """The network that the bundled spec of a data set names."""
    model = read_yaml(read_text(bundled.folder() / "images" / f"{name}.yaml")).plain()["model"][
        "kind"
    ]
    return str(model)


def data_set_terms() -> str:
    alike: dict[str, list[str]] = {}
    for row in DATASETS.values():
        alike.setdefault(row.terms.removesuffix("."), []).append(row.title)
    rows = ((", ".join(titles), terms) for terms, titles in alike.items())
    return table(("data set", "published by, and on what terms"), rows)


def image_spec() -> str:
    return fenced(
        (bundled.folder() / "images" / "semeion.yaml").read_text(encoding="utf-8"), "yaml"
    )


def slope_counts() -> str:
    """Parameters and slopes of each network over the images that it is made for, with 10 classes."""
    titles: dict[tuple[str, tuple[int, int, int]], list[str]] = {}
    for name, row in DATASETS.items():
        titles.setdefault((default_model(name), row.shape), []).append(row.title)
    rows = []
    for (model, shape), images in titles.items():
        random = random_stream(0, "weights")
        network = MODELS[model].make(
            shape, 10, {}, kind=NLAAF.name, n=1.0, per="neuron", random=random
        )
        n_parameters, n_slopes = network.count()
        by_channel = sum(slopes.shape[0] for slopes in network.slopes.values)
        counts = (n_parameters, 1, network.slopes.n_layers, n_slopes, by_channel)
        rows.append((code(model), ", ".join(images), *(f"{count:,}" for count in counts)))
    heads = ("GAAF", "L-LAAF", "N-LAAF", "N-LAAF, `per: channel`")
    return table(("network", "images", "weights and biases", *heads), rows)


def readings() -> str:
    """What the two readings of the paper's set-up are."""
    rows = []
    for model in MODELS.values():
        for name, value in model.settings.items():
            meaning = str(ImageModelSpec.model_fields[name].description).partition(":")[0]
            rows.append(
                (meaning, code(f"model.{name}"), _plain(value), _plain(model.code.get(name, value)))
            )
    for augment in (False, True):
        when = "with augmentation" if augment else "without augmentation"
        drops = (_drops(reading, augment) for reading in ("paper", "code"))
        rows.append(
            (f"epochs at which the learning rate drops, {when}", code("training.drops"), *drops)
        )
    return table(("what", "key", "`--reading paper`", "`--reading code`"), rows)


def _plain(value: bool | float) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


def _drops(reading: str, augment: bool) -> str:
    """Where the learning rate drops, as a plan has it."""
    text = Text(
        "semeion.yaml", json.dumps({"images": "semeion", "reading": reading, "augment": augment})
    )
    black = Images(np.zeros((1, *DATASETS["semeion"].shape), np.uint8), np.zeros(1, np.int64))
    known = {"semeion": ImageData(train=black, test=black, classes=("0",), files={})}
    return ", ".join(map(str, make_image_plan(text, known=known).spec.training.drops or ()))


def augmentations() -> str:
    alike: dict[str, list[str]] = {}
    for name, row in AUGMENTATIONS.items():
        steps = [_step(step) for step in row.steps]
        if row.normalize is not None:
            steps.append("each colour less its mean, over its deviation; test images too")
        alike.setdefault("; ".join(steps), []).append(name)
    rows = ((codes(names), steps) for steps, names in alike.items())
    return table(("data set", "each training image is, in this order"), rows)


def _step(step: AugmentationStep) -> str:
    """A step of augmentation in words."""
    match step:
        case Crop(padding):
            return f"shifted by up to {padding} pixel{'s'[: padding > 1]}"
        case Flip():
            return "mirrored with probability 1/2"
        case Affine(degrees, low, high):
            sizes = f"{low:g}" if low == high else f"{low:g} to {high:g}"
            return f"turned by up to {degrees:g}°, scaled by {sizes}"
    raise TypeError(f"no words for {type(step).__name__}")


def image_figure_kinds() -> str:
    return listing((code(name), kind.shows) for name, kind in IMAGE_KINDS.items())


# The expression language


def function_table() -> str:
    rows = (
        (code(f"{row.name}({', '.join('abc'[: row.n_arguments])})"), row.meaning)
        for row in FUNCTIONS.values()
    )
    return listing(rows)


def expression_limits() -> str:
    return table(
        ("what", "limit"),
        [
            ("length of an expression", f"{tokens.MAX_LENGTH} characters"),
            ("nesting of an expression", f"{tokens.MAX_DEPTH} levels"),
            ("a number as exponent", f"between −{MAX_EXPONENT} and {MAX_EXPONENT}"),
            ("order of a derivative", str(MAX_ORDER)),
            (
                "size after differentiation",
                f"{simplify.MAX_SIZE:,} nodes, {simplify.MAX_TREE_DEPTH} levels",
            ),
        ],
    )


# The run file


def run_file_attributes() -> str:
    return _attributes(COMMON_ATTRIBUTES)


def equation_attributes() -> str:
    return _attributes(
        {name: row for name, row in ATTRIBUTES.items() if name not in COMMON_ATTRIBUTES}
    )


def image_attributes() -> str:
    return _attributes(
        {name: row for name, row in IMAGE_ATTRIBUTES.items() if row != COMMON_ATTRIBUTES.get(name)}
    )


def _attributes(rows: Mapping[str, Attribute]) -> str:
    return listing((code(name), attribute.meaning) for name, attribute in rows.items())


def _layout(entries: Iterable[Entry]) -> str:
    rows = (
        (
            f"{code(entry.path)} ({entry.kind}"
            + (f" [{entry.dimensions}]" if entry.dimensions else "")
            + (", optional)" if entry.optional else ")"),
            entry.meaning,
        )
        for entry in entries
    )
    return listing(rows)


def _group_attributes(groups: Mapping[str, Mapping[str, Attribute]]) -> str:
    return listing(
        (f"{code(group)} {code(name)}", attribute.meaning)
        for group, attributes in groups.items()
        for name, attribute in attributes.items()
    )


def format_version() -> str:
    return f"This page describes format version **{FORMAT_VERSION}**."


# Figures and exports


def figure_kinds() -> str:
    return listing((code(name), kind.shows) for name, kind in KINDS.items())


def export_formats() -> str:
    return table(
        ("ending", "what"),
        ((code(ending), row.description) for ending, row in EXPORT_FORMATS.items()),
    )


# The command line


Row = tuple[str, str]
"""An option, with what it takes, and its meaning."""


def _shared(parameters: Iterable[Sequence[Row]]) -> dict[Row, str]:
    """The options, with their first names, that several commands have; one for each name, that of most commands."""
    counts = Counter(row for rows in parameters for row in rows if row[0].startswith("`-"))
    most: dict[str, Row] = {}
    for row, count in counts.most_common():
        name = row[0].partition(",")[0].partition(" ")[0].strip("`")
        if count > 1:
            most.setdefault(name, row)
    return {row: name for name, row in most.items()}


def commands() -> str:
    """The options that commands share, and a section for each command: what it does, arguments, options."""
    parameters = {name: _parameters(command.load()) for name, command in COMMANDS.items()}
    shared = _shared(parameters.values())
    ordered = dict.fromkeys(row for rows in parameters.values() for row in rows if row in shared)
    parts = []
    for name, command in COMMANDS.items():
        rows = parameters[name]
        *what, example = _paragraphs(inspect.getdoc(command.load()) or "")
        about = "\n\n".join(what)
        parts.append(
            f"## `laaf {name}`\n\n{about}\n\nExample: `{example.removeprefix('Example: ')}`"
        )
        if own := [row for row in rows if row not in shared]:
            parts.append(listing(own))
        if also := [code(shared[row]) for row in rows if row in shared]:
            parts.append(f"Also [shared](#shared-options): {', '.join(also)}.")
    return "\n\n".join([*parts, "## Shared options", listing(ordered)])


def _parameters(callback: Callable[..., Any]) -> list[Row]:
    """A row for each argument and option of a command."""
    rows: list[Row] = []
    hints = get_type_hints(callback, include_extras=True)
    for name, parameter in inspect.signature(callback).parameters.items():
        kind, info = get_args(hints[name])[:2]
        help_ = str(info.help)
        if isinstance(info, ArgumentInfo):
            rows.append((code(str(info.metavar)), help_))
        elif isinstance(info, OptionInfo):
            flags = [
                *([info.default] if isinstance(info.default, str) else []),
                *(info.param_decls or ()),
            ]
            default = (
                parameter.default.value
                if isinstance(parameter.default, Enum)
                else parameter.default
            )
            if default not in (None, False, True):
                help_ += f" Default: `{default}`."
            *names, last = [part for flag in flags for part in flag.split("/")]
            rows.append((codes([*names, f"{last} {_value(kind, info)}".rstrip()]), help_))
    return rows


def _value(kind: Any, info: OptionInfo) -> str:
    """What an option takes; nothing for a switch."""
    if info.metavar:
        return str(info.metavar)
    if get_origin(kind) in (Union, types.UnionType):
        kind = next(option for option in get_args(kind) if option is not type(None))
    return "" if kind is bool else str(kind.__name__).upper()


def json_schemas() -> str:
    rows = (
        (code(f"laaf {command}"), f"[{command}.json](schemas/{command}.json)")
        for command in records()
    )
    return table(("command", "schema"), rows)


def exit_codes() -> str:
    return table(("code", "meaning"), ((str(code_.value), code_.sentence) for code_ in ExitCode))


# Mistakes


@dataclass(frozen=True)
class Mistake:
    """A change to the example spec that makes it wrong."""

    title: str
    old: str
    new: str


MISTAKES = (
    Mistake("Not a coordinate", "k*u_xx", "k*u_yy"),
    Mistake("Another language's power", "(pi/2)**2", "(pi/2)^2"),
    Mistake("Not a face of the domain", "where: x = 1", "where: x = 2"),
    Mistake("A misspelled key", "cold: {where:", "cold: {were:"),
)


def mistakes() -> str:
    """Each mistake with what laaf says about it."""
    name, text = _example(FIRST_PAGE)
    parts = []
    for mistake in MISTAKES:
        parts.append(f"**{mistake.title}.**")
        parts.append(_refusal(partial(make_plan, Text(name, _changed(text, mistake)))))
    parts.append("**A run that would replace another.**")
    with _scratch_folder():
        target = make_plan(Text(name, text)).default_output
        target.parent.mkdir()
        target.touch()
        parts.append(_refusal(partial(check_target, target, overwrite=False)))
    return "\n\n".join(parts)


def warnings() -> str:
    """What is said of a spec that lacks a condition and is not refused."""
    name, text = _example(FIRST_PAGE)
    bare = _without(text, "cold")
    return fenced(
        "\n".join(f"warning: {line}" for line in make_plan(Text(name, bare)).problem.warnings),
        "text",
    )


def _without(text: str, *conditions: str) -> str:
    """A spec without some of its conditions, each of which stands on a line of its own."""
    return "\n".join(
        line
        for line in text.splitlines()
        if not line.startswith(tuple(f"  {c}:" for c in conditions))
    )


def determinacy() -> str:
    """What is said of a spec with too few and with too many conditions."""
    name, text = _example(FIRST_PAGE)
    more = "  cold: {where: x = 0, equation: [u = 0, u_x = 1]}"
    changes = {
        "**Too few.** Without any condition at the start:": _without(text, "initial"),
        "**Too many.** With a second condition at one end, `cold: {where: x = 0, equation: [u = 0, u_x = 1]}`:": re.sub(
            r"^  cold:.*$", more, text, flags=re.MULTILINE
        ),
    }
    return "\n\n".join(
        f"{title}\n\n{_refusal(partial(make_plan, Text(name, changed)))}"
        for title, changed in changes.items()
    )


def broken_transform() -> str:
    """What is said of a transform that contradicts a condition."""
    name, text = _example(FORM_PAGE, "string.yaml")
    change = Mistake("", "{u: sin(pi*x) + t", "{u: sin(2*pi*x) + t")
    return _refusal(partial(make_plan, Text(name, _changed(text, change))))


def _example(page: Path, wanted: str | None = None) -> tuple[str, str]:
    """The name and the text of a file that the reader of a page saves; the last one by default."""
    found = re.findall(
        r"<!-- file: (\S+) -->\n+```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL
    )
    found = [each for each in found if wanted in (None, each[0])]
    if not found:
        raise SystemExit(f"{page} does not mark {wanted or 'a file'}")
    name, text = found[-1]
    return name, text


def _changed(text: str, mistake: Mistake) -> str:
    if mistake.old not in text:
        raise SystemExit(f"the example spec does not hold {mistake.old!r}")
    return text.replace(mistake.old, mistake.new, 1)


def _refusal(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except LaafError as error:
        told = fenced(f"error: {in_shell_words(str(error))}", "text")
        return (
            told
            if error.exit_code is ExitCode.SPEC
            else f"{told}\n\nExit code {int(error.exit_code)}."
        )
    raise SystemExit("a mistake of the documentation is none")


def code_map() -> str:
    """The rows of `tests/test_architecture.py`, each with the first sentence of its docstring."""
    sys.path.insert(0, str(DOCS.parent / "tests"))
    architecture = importlib.import_module("test_architecture")
    rows = []
    for unit, (row, _) in sorted(architecture.ROWS.items(), key=lambda each: each[1][0]):
        path = DOCS.parent.joinpath("laaf_cli", *unit.split("."))
        is_package = path.is_dir()
        module = path / "__init__.py" if is_package else path.with_suffix(".py")
        docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
        sentence = _clause(" ".join(docstring.partition("\n\n")[0].split()).removesuffix("."))
        name = unit.replace(".", "/") + ("/" if is_package else ".py")
        rows.append((f"`{name}` ({row})", sentence))
    return listing(rows)


def _clause(sentence: str) -> str:
    """What stands before a colon or semicolon; all of it where that is a word alone."""
    first = re.split(r"[:;] ", sentence, maxsplit=1)[0]
    return first if " " in first else sentence


@contextlib.contextmanager
def _scratch_folder() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        yield


BLOCKS: dict[str, Callable[[], str]] = {
    "activations": activations,
    "augmentations": augmentations,
    "balances": balances,
    "broken-transform": broken_transform,
    "commands": commands,
    "data-formats": data_formats,
    "data-set-terms": data_set_terms,
    "data-sets": data_sets,
    "determinacy": determinacy,
    "equation-attributes": equation_attributes,
    "equation-group-attributes": partial(_group_attributes, GROUP_ATTRIBUTES),
    "equation-layout": partial(_layout, LAYOUT),
    "code-map": code_map,
    "exit-codes": exit_codes,
    "export-formats": export_formats,
    "expression-limits": expression_limits,
    "figure-kinds": figure_kinds,
    "format-version": format_version,
    "functions": function_table,
    "image-attributes": image_attributes,
    "image-figure-kinds": image_figure_kinds,
    "image-group-attributes": partial(_group_attributes, IMAGE_GROUP_ATTRIBUTES),
    "image-layout": partial(_layout, IMAGE_LAYOUT),
    "image-spec": image_spec,
    "image-spec-keys": image_spec_keys,
    "initializers": initializers,
    "json-schemas": json_schemas,
    "mistakes": mistakes,
    "optimizers": optimizers,
    "readings": readings,
    "reference-estimates": reference_estimates,
    "references": references,
    "resamplers": resamplers,
    "run-file-attributes": run_file_attributes,
    "samplers": samplers,
    "schedules": schedules,
    "slope-counts": slope_counts,
    "spec-keys": spec_keys,
    "spec-limits": spec_limits,
    "warnings": warnings,
}


def pages() -> list[Path]:
    """Every page that may hold generated parts."""
    return [README, *sorted(DOCS.glob("*.md"))]


def schemas() -> dict[str, Schema]:
    """The files of docs/schemas/ by name: what each command prints with `--json`, and what may stand in a spec."""
    found = {command: record_schema(command, *kinds) for command, kinds in records().items()}
    return found | {"spec": spec_schema()}


def _schema_files() -> dict[Path, str]:
    return {
        SCHEMAS / f"{name}.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in schemas().items()
    }


def stale_blocks() -> list[str]:
    """What does not say what the code says: generated parts, as `docs/spec.md: spec-keys`, and files of schemas."""
    parts = [
        f"{page.relative_to(README.parent)}: {name}" for page in pages() for name in _stale(page)
    ]
    wanted = _schema_files()
    here = {path: path.read_text(encoding="utf-8") for path in SCHEMAS.glob("*.json")}
    differing = sorted(path for path in wanted | here if wanted.get(path) != here.get(path))
    return [*parts, *(str(path.relative_to(README.parent)) for path in differing)]


def _stale(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return [
        found["name"] for found in _MARKED.finditer(text) if found["body"] != _body(found["name"])
    ]


def _body(name: str) -> str:
    if name not in BLOCKS:
        raise SystemExit(f"there is no generated part {name}; there are {', '.join(BLOCKS)}")
    return f"\n{BLOCKS[name]()}\n\n"


def rewrite(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    page.write_text(
        _MARKED.sub(lambda found: found["start"] + _body(found["name"]) + found["end"], text),
        "utf-8",
    )


def rewrite_schemas() -> None:
    SCHEMAS.mkdir(exist_ok=True)
    wanted = _schema_files()
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")
    for path in set(SCHEMAS.glob("*.json")) - wanted.keys():
        path.unlink()


def main() -> None:
    if sys.argv[1:] not in ([], ["--check"]):
        sys.exit("usage: generate.py [--check]")
    stale = stale_blocks()
    if sys.argv[1:] == ["--check"]:
        if stale:
            sys.exit("stale, run python docs/generate.py:\n" + "\n".join(stale))
        return
    for page in pages():
        rewrite(page)
    rewrite_schemas()
    print("\n".join(f"rewritten: {name}" for name in stale) or "everything is fresh")


if __name__ == "__main__":
    main()
