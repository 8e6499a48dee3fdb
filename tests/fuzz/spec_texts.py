"""Specs and `--set` assignments: of the right form, from bundled ones by mutation, hostile in YAML, and of junk."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Callable
from functools import cache
from random import Random

from expression_texts import equation, formula, junk, real

from laaf_cli.spec import bundled
from laaf_cli.spec.models import RunSpec

Draw = Callable[[Random], str]

START = "coordinates: {x: [0, 1], t: [0, 1]}\nunknowns: [u]\nequations: {heat: u_t = u_xx}\n"
WHOLE = f"{START}conditions: {{start: {{where: t = 0, equation: u = sin(pi*x)}}, walls: {{where: boundary, equation: u = 0}}}}\n"

PARTS = (
    *(
        "kind",
        "n",
        "x",
        "u",
        "a",
        "where",
        "equation",
        "hidden",
        "iterations",
        "schedule",
        "exact",
        "file",
        "target",
    ),
    *(
        "grid",
        "times",
        "sampler",
        "<<",
        "1",
        "0",
        "points",
        "weight",
        "every",
        "method",
        "start",
        "bounds",
        "only",
        "at",
    ),
)
KEYS = (*RunSpec.model_fields, *PARTS)

FILES = (
    *(
        "a.csv",
        "a.npz",
        "a.h5",
        "a.mat",
        "deep.npz",
        "../a.csv",
        "/etc/passwd",
        "/dev/zero",
        "pipe.csv",
        "folder.h5",
    ),
    *(
        "laws.py",
        "/proc/self/mem",
        "no/such.csv",
        "a.csv/b.csv",
        "\0.csv",
        "x" * 300 + ".csv",
        "~/a.csv",
        "",
        "spec.yaml",
    ),
)
"""Files that a spec may name: `specs.py` makes some of them beside it."""

NUMBERS = (
    "1e999",
    "-.inf",
    ".nan",
    "0x10",
    "9" * 25,
    "9" * 5000,
    "1e-320",
    "-0",
    "1e3",
    "100000000",
    "4096",
    "2",
    "0.5",
)
SCALARS = (
    *(
        "1",
        "1e3",
        "yes",
        "true",
        "~",
        "",
        "u",
        "x = 0",
        "u_t = u_xx",
        "sin(pi*x)",
        "adam",
        "hopf-cole",
        "boundary",
    ),
    *(
        '"a\\e[31m"',
        "'it''s'",
        "&a",
        "*a",
        "!!python/name:os.system",
        "|\n  a",
        "[",
        "}",
        "%",
        "\t",
        "1/0",
        "? a",
        "- b",
    ),
    *(
        "!!python/object/apply:os.system ['true']",
        "!!binary YQ==",
        "!!timestamp 2001-01-01",
        "2001-01-01",
        "\u202e",
        "😀",
    ),
    *(
        '"\\0"',
        '"\\u202e"',
        '"\\ud800"',
        "'\x85'",
        "\ufeff",
        "--- a",
        "... ",
        "@",
        "`",
        "{}",
        "[]",
        "nan",
        "auto",
        "spectral",
    ),
)


def number(random: Random) -> str:
    if random.random() < 0.5:
        return str(random.randrange(-3, 300))
    return random.choice(NUMBERS) if random.random() < 0.5 else repr(random.lognormvariate(0, 5))


def quoted(text: str) -> str:
    return json.dumps(text)


def expression(random: Random) -> str:
    return quoted(
        random.choice((equation, lambda r: formula(r, 2), lambda r: r.choice(real()), junk))(random)
    )


def small(random: Random) -> str:
    """An expression that is likely to fit."""
    texts = (
        "0",
        "x",
        "t*(1 - x)",
        "sin(pi*x)",
        "where(x < 0.5, 1, 0)",
        "1/x",
        "exp(-t)",
        "k*x",
        formula(random, 2),
    )
    return quoted(random.choice(texts))


def name(random: Random) -> str:
    return random.choice(
        (
            "x",
            "t",
            "y",
            "u",
            "v",
            "k",
            "heat",
            "c",
            "_",
            "a b",
            "1",
            "ü",
            "n" * 31,
            "sin",
            "data",
            "net",
        )
    )


def value(random: Random, depth: int = 0) -> str:
    """A value of any form, nested up to far beyond the limit."""
    kind = random.randrange(8 if depth < 14 else 4)
    if kind < 2:
        return random.choice(SCALARS)
    if kind == 2:
        return number(random)
    if kind == 3:
        return expression(random)
    n = random.choice((0, 1, 2, 3))
    if kind < 6:
        return f"[{', '.join(value(random, depth + 1) for _ in range(n))}]"
    return (
        "{"
        + ", ".join(f"{random.choice(KEYS)}: {value(random, depth + 1)}" for _ in range(n))
        + "}"
    )


def condition(random: Random) -> str:
    """A condition of some kind, most of its keys fitting."""
    face = quoted(
        random.choice(
            ("x = 0", "x = 1", "t = 0", "boundary", "t = 1", "x = 0.5", "y = 0", "x", junk(random))
        )
    )
    place = random.choice(
        (
            f"where: {face}",
            f"where: [{face}, x = 0]",
            f"where: {face}, only: {quoted(random.choice(('t > 0.5', 'x < 0.3', 'x > 2', equation(random))))}",
            f"at: {{x: {small(random)}}}",
            f"periodic: {name(random)}",
            f"integral: {expression(random)}, over: [{name(random)}], equals: {small(random)}",
            "integral: u",
            f"data: {quoted(random.choice(FILES))}, weights: {name(random)}",
            "",
        )
    )
    law = random.choice(
        (f"equation: u = {quoted('x')}", 'equation: "u = 0"', f"equation: {expression(random)}", "")
    )
    more = random.choice(
        (
            "",
            f"points: {number(random)}",
            f"weight: {number(random)}",
            f"names: {{u: {name(random)}}}",
        )
    )
    return "{" + ", ".join(filter(None, (place, law, more))) + "}"


def many(random: Random, one: Draw) -> str:
    """A mapping of one to very many entries."""
    n = (
        int(random.lognormvariate(0.7, 1.2))
        if random.random() < 0.97
        else random.choice((50, 150, 250))
    )
    same = one(random)
    return (
        "{"
        + ", ".join(f"c{i}: {same if n > 20 else one(random)}" for i in range(min(n, 250)))
        + "}"
    )


def importance(random: Random) -> str:
    return f"[{{where: {quoted(random.choice(('x > 0.9', 't < 0.001', equation(random))))}, share: {number(random)}}}]"


SECTIONS: dict[str, Draw] = {
    "coordinates": lambda r: f"{{x: [{number(r)}, {small(r)}], t: [0, {number(r)}]}}",
    "unknowns": lambda r: r.choice(("[u]", "[u, v]", "[u, u]", "[net]", "u", f"[{name(r)}]")),
    "constants": lambda r: many(r, lambda r: r.choice((number(r), small(r)))),
    "learn": lambda r: (
        f"{{k: {{start: {number(r)}, bounds: [{number(r)}, {number(r)}], truth: {number(r)}}}}}"
    ),
    "functions": lambda r: quoted(r.choice(FILES)),
    "periodic": lambda r: f"{{{name(r)}: {r.choice(('true', number(r)))}}}",
    "transform": lambda r: (
        f"{{u: {quoted(r.choice(('x*(1 - x)*net', 't*net', 'net**2', formula(r, 5).replace('u', 'net'))))}}}"
    ),
    "equations": lambda r: many(r, expression),
    "conditions": lambda r: many(r, condition),
    "data": lambda r: r.choice(
        (
            f"{{target: {{u: {small(r)}}}, points: {number(r)}}}",
            f"{{file: {quoted(r.choice(FILES))}, names: {{x: {name(r)}}}}}",
            f"{{file: {quoted(r.choice(FILES))}}}",
            f"{{reference: true, points: {number(r)}, noise: {number(r)}}}",
        )
    ),
    "title": lambda r: r.choice(
        (*SCALARS, quoted("\x1b]0;owned\x07"), quoted(junk(r)), "a" * 10_000)
    ),
    "source": lambda r: quoted(junk(r)),
    "points": lambda r: (
        f"{{interior: {number(r)}, sampler: {r.choice(('sobol', 'grid', 'latin-hypercube', small(r)))}, "
        f"importance: {importance(r)}, resample: {{every: {number(r)}, method: {r.choice(('rad', 'rar-d', 'x'))}}}}}"
    ),
    "network": lambda r: (
        f"{{hidden: [{', '.join(number(r) for _ in range(r.choice((1, 2, 70))))}], activation: {r.choice(('tanh', 'relu', 'x'))}}}"
    ),
    "slopes": lambda r: (
        f"{{kind: {r.choice(('fixed', 'gaaf', 'nlaaf', 'x'))}, n: {number(r)}, recovery: {r.choice(('false', '{weight: 1}', number(r)))}}}"
    ),
    "weights": lambda r: (
        f"{{equations: {many(r, number)}, balance: {r.choice(('grad-norm', 'ntk', 'causal', 'x'))}}}"
    ),
    "training": lambda r: (
        f"[{{optimizer: {r.choice(('adam', 'lbfgs', 'ssbroyden', 'x'))}, iterations: {number(r)}, learning_rate: {number(r)}, "
        f"schedule: {{kind: {r.choice(('step', 'cosine', 'x'))}, factor: {number(r)}}}}}]"
    ),
    "reference": lambda r: r.choice(
        (
            "hopf-cole",
            "spectral",
            "auto",
            "none",
            f"{{exact: {{u: {expression(r)}}}}}",
            f"{{file: {quoted(r.choice(FILES))}}}",
        )
    ),
    "evaluation": lambda r: (
        f"{{grid: {{x: {number(r)}, t: {number(r)}}}, times: [{', '.join(number(r) for _ in range(r.choice((0, 3, 3000))))}]}}"
    ),
    "checkpoint": lambda r: f"{{every_s: {number(r)}}}",
    "seed": number,
    "dtype": lambda r: r.choice(("float64", "float16", number(r))),
    "device": lambda r: r.choice(("cpu", "cuda:9", "'cpu; true'")),
}


def grammar(random: Random) -> str:
    """All sections in their form, some with a value of any form instead, in any order, some twice."""
    needed = ["coordinates", "unknowns", "equations"]
    chosen = random.sample(list(SECTIONS), random.randrange(1, 7))
    lines = []
    for section in [*(s for s in needed if s not in chosen or random.random() < 0.05), *chosen]:
        if section in needed and random.random() < 0.7:
            lines.append(next(line for line in START.splitlines() if line.startswith(section)))
        else:
            draw = value if random.random() < 0.08 else SECTIONS[section]
            lines.append(f"{section}: {draw(random)}")
    return "\n".join(lines) + "\n"


def plausible(random: Random) -> str:
    """A spec that has all it needs, with one or two sections drawn: most of them have a plan."""
    text = WHOLE
    drawn = random.sample(
        [s for s in SECTIONS if s not in ("coordinates", "unknowns", "equations")],
        random.randrange(1, 3),
    )
    if "conditions" in drawn:
        text = START
    if "learn" in drawn or random.random() < 0.1:
        text = text.replace(
            "u_xx",
            random.choice(("k*u_xx", "u_xx/k", "u_xx*u**k", "D(k*u_x, x)", "u_xx + k**9*sin(x*k)")),
        )
    return text + "".join(f"{section}: {SECTIONS[section](random)}\n" for section in drawn)


@cache
def bundled_texts() -> tuple[str, ...]:
    return tuple(bundled.find(problem).content for problem in bundled.names())


def mutated(random: Random) -> str:
    """A bundled spec in which lines, words or characters were changed."""
    text = random.choice(bundled_texts())
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        if random.random() < 0.5:
            numbers = list(re.finditer(r"(?<![\w.])[0-9][0-9.]*", text))
            first, last = random.choice(numbers or [re.search("$", text)]).span()
            given = random.choice((str(random.randrange(1, 40)), "0.3", "pi", number(random)))
            text = text[:first] + given + text[last:]
            continue
        lines = text.split("\n")
        i, j = random.randrange(len(lines)), random.randrange(len(lines))
        match random.randrange(7):
            case 0:
                del lines[i]
            case 1:
                lines.insert(j, lines[i])
            case 2:
                lines[i], lines[j] = lines[j], lines[i]
            case 3:
                lines[i] = " " * random.randrange(6) + lines[i].lstrip()
            case 4:
                words = lines[i].split(" ")
                words[random.randrange(len(words))] = random.choice(
                    (value(random), number(random), name(random))
                )
                lines[i] = " ".join(words)
            case 5:
                at = random.randrange(len(lines[i]) + 1)
                lines[i] = (
                    lines[i][:at]
                    + random.choice(("", ":", "{", "'", '"', "\t", "#", ",", junk(random)))
                    + lines[i][at + 1 :]
                )
            case _:
                lines[i] = random.choice(random.choice(bundled_texts()).split("\n"))
        text = "\n".join(lines)
    return text


def hostile(random: Random) -> str:
    """What YAML allows and people do not write: bombs, nests, tags, very long lines."""
    n = random.choice((3, 30, 300, 3000, 12_000, 30_000))
    inner = value(random)
    return random.choice(
        (
            WHOLE + "title: &a [x, x]\nsource: [*a, *a, *a]\n",
            "".join(
                f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9) if i else 'x'}]\n" for i in range(9)
            ),
            WHOLE + "<<: {seed: 1}\n",
            WHOLE + f"<<: *{name(random)}\n",
            WHOLE + "title: " + "[" * n + "]" * random.choice((0, n)) + "\n",
            WHOLE + "title: " + "{a: " * n + "}" * n + "\n",
            WHOLE + "- " * n,
            WHOLE + "title: " + "a" * n + "\n",
            WHOLE + f"title: {'é' * n}\nsource: {quoted('ü' * n)}\n",
            WHOLE + "#" + "x" * n + "\n",
            WHOLE + "\n" * n + "seed: x\n",
            WHOLE + "".join(f"{inner}{i}: 1\n" for i in range(n // 10)),
            WHOLE + "title: |\n" + "  line\n" * n,
            WHOLE + 'title: "' + "\\\n" * n + '"\n',
            WHOLE + "seed: 1\n" * (n // 3),
            WHOLE + f"constants: {{{', '.join(f'k{i}: 1' for i in range(n // 3))}}}\n",
            WHOLE
            + f"constants: {{k0: 1, {', '.join(f'k{i}: 2*k{i - 1}' for i in range(1, n // 4))}}}\n",
            WHOLE + f"evaluation: {{times: [{', '.join(['0.5'] * (n // 3))}]}}\n",
            START
            + f"conditions: {{c: {{where: [{', '.join(['x = 0'] * (n // 3))}], equation: u = 0}}}}\n",
            START
            + f"conditions: {{c: {{where: x = 0, equation: [{', '.join(['u_x = 0'] * (n // 3))}]}}}}\n",
            WHOLE
            + f"weights: {{equations: {{{', '.join(f'hea{i}: 1' for i in range(n // 4))}}}}}\n",
            START.replace("[u]", f"[{', '.join(f'u{i}' for i in range(n // 3))}]"),
            START.replace("u_xx", f'"{formula(random, 60)}"'),
            f"--- {START}--- {START}",
            "%YAML 1.1\n%TAG ! tag:yaml.org,2002:python/\n---\n" + START,
            f"!!python/object/apply:os.system ['true']\n{START}",
            WHOLE + f"? {inner}\n: {inner}\n",
            START[: random.randrange(len(START))]
            + random.choice(SCALARS)
            + START[random.randrange(len(START)) :],
        )
    )


def noise(random: Random) -> str:
    """Characters of no order, and entries of no form."""
    match random.randrange(3):
        case 0:
            return junk(random)
        case 1:
            return "".join(random.choices(string.printable, k=random.randrange(200)))
    return "".join(f"{random.choice(KEYS)}: {value(random)}\n" for _ in range(random.randrange(6)))


def any_spec(random: Random) -> str:
    """One of the above."""
    kind = random.choices((grammar, plausible, mutated, hostile, noise), (25, 30, 30, 8, 7))[0]
    return kind(random)


def assignment(random: Random) -> str:
    """What `--set` may be given."""
    if random.random() < 0.1:
        return junk(random)
    words = [random.choice(tuple(SECTIONS))]
    if random.random() < 0.7:
        words += random.choices((*PARTS, "999999", "-1", ""), k=random.randrange(1, 4))
    given = (
        SECTIONS[words[0]](random) if len(words) == 1 and random.random() < 0.7 else value(random)
    )
    return f"{'.'.join(words)}={given}"


def any_assignments(random: Random) -> tuple[str, ...]:
    """None most of the time, else up to three."""
    return tuple(assignment(random) for _ in range(random.choices((0, 1, 2, 3), (14, 3, 2, 1))[0]))
