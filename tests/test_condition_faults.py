"""Faulty conditions, forms, data, learned constants and Python functions, and the message that each of them gets."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import plan_of
from fault_tables import CONDITIONS, START, cases, marks_of, message, spec_error
from syrupy.assertion import SnapshotAssertion

from laaf_cli.errors import SpecError
from laaf_cli.runs.inspection import inspect
from laaf_cli.runs.plan import make_plan
from laaf_cli.spec import Text

DETERMINED = r"""
=+ a third condition in space
conditions:
  start: {where: t = 0, equation: u = 0}
  walls: {where: boundary, equation: u = 0}
  flux: {where: x = 0, equation: u_x = 0}
-- 7:3 flux

=+ a rate at the start of a heat equation
conditions:
  start: {where: t = 0, equation: [u = 0, u_t = 0]}
  walls: {where: boundary, equation: u = 0}
-- 5:3 start

== both walls of an equation of first order
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {move: u_t + u_x = 0}
conditions:
  start: {where: t = 0, equation: u = sin(x)}
  walls: {where: boundary, equation: u = 0}
-- 6:3 walls

== too many conditions for a system
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u, v]
equations: {a: u_t = v_x, b: v_t = u_x}
conditions:
  start: {where: t = 0, equation: [u = 0, v = 0]}
  walls: {where: boundary, equation: [u = 0, v = 0]}
-- 6:3 walls

== more equations than unknowns
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {move: u_t + u_x = 0, stay: u_t = 0}
conditions: {start: {where: t = 0, equation: u = sin(x)}}
-- 3:1 equations

== a learned constant and no data
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
learn: {k: {start: 1}}
equations: {heat: u_t = k*u_xx}
conditions: {start: {where: t = 0, equation: u = 0}, walls: {where: boundary, equation: u = 0}}
-- 3:9 k

== a learned field and no data
coordinates: {x: [0, 1]}
unknowns: [u, q]
equations: {rod: u_xx = q}
conditions: {walls: {where: boundary, equation: u = 0}}
-- 3:1 equations

== a number as an unknown
coordinates: {x: [0, 1]}
unknowns: [u, q]
equations: {mode: u_xx = q*u}
conditions: {walls: {where: boundary, equation: u = 0}, size: {integral: u**2, equals: 1}}
-- 3:1 equations

== a pressure without a level
coordinates: {x: [0, 1], y: [0, 1], t: [0, 1]}
unknowns: [u, v, p]
equations: {a: u_t + p_x = laplacian(u), b: v_t + p_y = laplacian(v), c: u_x + v_y = 0}
conditions:
  start: {where: t = 0, equation: [u = 0, v = 0]}
  walls: {where: boundary, equation: [u = 0, v = 0]}
  flux: {periodic: x, equation: p}
-- 2:18 p

== two fluxes and no value
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {rod: u_xx = 0}
conditions: {ends: {where: boundary, equation: u_x = 1}}
-- 2:12 u

== heat that runs back in time
coordinates: {x: [0, 1], t: [0, 2]}
unknowns: [u]
equations: {heat: u_t = -u_xx}
conditions: {start: {where: t = 0, equation: u = 0}, walls: {where: boundary, equation: u = 0}}
-- 3:13 heat

=+ heat with a condition at the end
conditions: {last: {where: t = 1, equation: u = 0}, walls: {where: boundary, equation: u = 0}}
-- 3:13 heat

=+ a start without values everywhere
conditions:
  start: {where: t = 0, equation: u = sqrt(x - 0.5), points: 4}
  walls: {where: boundary, equation: u = 0}
points: {sampler: grid}
-- 5:3 start

== an equation that divides by a coordinate
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {heat: u_t = u_xx + u_x/x}
conditions: {start: {where: t = 0, equation: u = 0}, walls: {where: boundary, equation: u = 0}}
points: {sampler: grid, interior: 16}
-- 3:13 heat

=+ a transform without a value at the start
transform: {u: log(t)*net}
points: {sampler: grid}
-- 4:1 transform

=+ no condition at the start
conditions: {walls: {where: boundary, equation: u = 0}}
-- 3:1 equations

=+ no walls
conditions: {start: {where: t = 0, equation: u = 0}}
-- 3:1 equations

=+ no conditions at all
conditions: {}
-- 3:1 equations
-- 3:1 equations

=+ a transform in place of conditions
transform: {u: x*(1 - x)*t*net}
conditions: {}
-- 3:1 equations
-- 3:1 equations

=+ periodic, and a wall as well
conditions:
  start: {where: t = 0, equation: u = 0}
  wrap: {periodic: x}
  wall: {where: x = 0, equation: u = 0}
-- 7:3 wall

=+ periodic in two conditions
conditions:
  start: {where: t = 0, equation: u = 0}
  wrap: {periodic: x}
  again: {periodic: x}
-- 7:3 again

=+ periodic in the inputs, and a wall as well
periodic: {x: true}
conditions:
  start: {where: t = 0, equation: u = 0}
  wall: {where: x = 0, equation: u = 0}
-- 7:17 x = 0

=+ periodic in the inputs, and all walls as well
periodic: {x: true}
conditions:
  start: {where: t = 0, equation: u = 0}
  walls: {where: boundary, equation: u = 0}
-- 7:18 boundary

=+ periodic inputs that break a periodic condition
periodic: {x: true}
conditions:
  start: {where: t = 0, equation: u = 0}
  wrap: {periodic: x, equation: [u + x, u_x]}
-- 4:11 {

=+ a learned constant that stands nowhere
learn: {k: {start: 1}}
-- 4:9 k
"""

FORM = r"""
=+ periodic along no coordinate
periodic: {y: true}
-- 4:12 y

=+ not periodic
periodic: {x: false}
-- 4:15 false

=+ no harmonics
periodic: {x: 0}
-- 4:15 0

=+ too many harmonics
periodic: {x: 65}
-- 4:15 65

=+ half a harmonic
periodic: {x: 1.5}
-- 4:15 1.5

=+ a word for the periodic coordinates
periodic: x
-- 4:11 x

=+ a list of periodic coordinates
periodic: [x]
-- 4:11 [

=+ a transform that contains no output
transform: {u: sin(pi*x)}
-- 4:16 sin(pi*x)

=+ a transform whose output vanishes
transform: {u: 0*net + x}
-- 4:16 0*net + x

=+ a transform of no unknown
transform: {v: x*net}
-- 4:13 v

=+ a misspelt output
transform: {u: x*nte}
-- 4:18 nte

=+ an output of several, where there is one
transform: {u: x*net_u}
-- 4:18 net_u

=+ the unknown for its output
transform: {u: x*u}
-- 4:18 u

== an output without its unknown
coordinates: {x: [0, 1]}
unknowns: [u, v]
equations: {a: u_x = v, b: v_x = u}
conditions: {start: {where: x = 0, equation: [u = 0, v = 1]}}
transform: {u: x*net}
-- 5:18 net

== an output of no unknown
coordinates: {x: [0, 1]}
unknowns: [u, v]
equations: {a: u_x = v, b: v_x = u}
conditions: {start: {where: x = 0, equation: [u = 0, v = 1]}}
transform: {u: x*net_w}
-- 5:18 net_w

=+ an equation for a transform
transform: {u: u = x*net}
-- 4:18 =

=+ a comparison for a transform
transform: {u: net > 0}
-- 4:16 net > 0

=+ nothing for a transform
transform: {u: }
-- 4:15

=+ a list for a transform
transform: {u: [x*net]}
-- 4:16 [

=+ a transform that is no mapping
transform: x*net
-- 4:12 x*net

=+ a transform of a high order
transform: {u: x*net_xxx}
-- 4:16 x*net_xxx

=+ a transform that breaks a condition
transform: {u: 1 + t*net}
-- 4:16 1 + t*net

=+ a transform that jumps at the seam of a period
conditions: {start: {where: t = 0, equation: u = sin(2*pi*x)}}
periodic: {x: true}
transform: {u: sin(2*pi*x) + t*x*net}
-- 6:16 sin(2*pi*x) + t*x*net

=+ a transform that breaks a condition by little
transform: {u: 1.0e-7 + x*net}
-- 4:16 1.0e-7 + x*net

== the second transform breaks a condition
coordinates: {x: [0, 1]}
unknowns: [u, v]
equations: {a: u_x = v, b: v_x = u}
conditions: {start: {where: x = 0, equation: [u = 0, v = 1]}}
transform: {u: x*net_u, v: 2 + x*net_v}
-- 5:16 x*net_u

=+ a transform that elu is not smooth enough for
network: {activation: elu}
transform: {u: net + x*net_x}
-- 4:23 elu

== a learned constant in a transform
coordinates: {x: [0, 1]}
unknowns: [u]
learn: {k: {start: 1, truth: 2}}
equations: {a: u_x = k*u}
conditions: {start: {where: x = 0, equation: u = 1}}
transform: {u: exp(k*x) + x*net}
-- 6:20 k

== a Python function in a transform
coordinates: {x: [0, 1]}
unknowns: [u]
functions: laws.py
equations: {a: u_x = u}
conditions: {start: {where: x = 0, equation: u = 1}}
transform: {u: square(x)*net}
-- 6:16 square(x)*net
"""

LEARNED = r"""
=+ bounds that exclude the start
learn: {k: {start: 1, bounds: [2, 3]}}
-- 4:20 1

=+ a start on a bound
learn: {k: {start: 2, bounds: [2, 3]}}
-- 4:20 2

=+ bounds that exclude the truth
learn: {k: {start: 2, bounds: [1, 3], truth: 5}}
-- 4:46 5

=+ bounds in the wrong order
learn: {k: {start: 1, bounds: [3, 0]}}
-- 4:31 [

=+ a single bound
learn: {k: {start: 1, bounds: [0]}}
-- 4:31 [

=+ a number for the bounds
learn: {k: {start: 1, bounds: 3}}
-- 4:31 3

=+ words for the bounds
learn: {k: {start: 1, bounds: [0, inf]}}
-- 4:35 inf

=+ positive and negative
learn: {k: {start: 1, positive: true, negative: true}}
-- 4:39 negative

=+ positive, and a negative start
learn: {k: {start: -1, positive: true}}
-- 4:20 -1

=+ negative, and a positive start
learn: {k: {start: 1, negative: true}}
-- 4:20 1

=+ negative between positive bounds
learn: {k: {start: 1, negative: true, bounds: [0, 3]}}
-- 4:47 [

=+ positive in words
learn: {k: {start: 1, positive: yes}}
-- 4:33 yes

=+ a learned constant without a start
learn: {k: {truth: 1}}
-- 4:9 k

=+ a word for a learned constant
learn: {k: one}
-- 4:12 one

=+ an expression for a start
learn: {k: {start: pi}}
-- 4:20 pi

=+ a misspelt truth
learn: {k: {start: 1, thruth: 1}}
-- 4:23 thruth

=+ a learned constant named like a constant
constants: {k: 2}
learn: {k: {start: 1}}
-- 5:9 k

=+ a learned constant named like the unknown
learn: {u: {start: 1}}
-- 4:9 u

=+ a list of learned constants
learn: [k]
-- 4:8 [

=+ a learned constant in a constant
learn: {k: {start: 1, truth: 2}}
constants: {c: 2*k}
-- 5:18 k

== a learned constant in the bounds of a coordinate
coordinates: {x: [0, k]}
unknowns: [u]
learn: {k: {start: 1}}
equations: {a: u_x = k*u}
conditions: {start: {where: x = 0, equation: u = 1}}
-- 1:22 k

== a learned constant in the reference
coordinates: {x: [0, 1]}
unknowns: [u]
learn: {k: {start: 1}}
equations: {a: u_x = k*u}
conditions: {start: {where: x = 0, equation: u = 1}}
reference: {exact: {u: exp(k*x)}}
-- 6:28 k

== a learned constant in a target
coordinates: {x: [0, 1]}
unknowns: [u]
learn: {k: {start: 1}}
equations: {a: u_x = k*u}
conditions: {start: {where: x = 0, equation: u = 1}}
data: {target: {u: exp(k*x)}, points: 9}
-- 6:24 k

== a learned constant for a place
coordinates: {x: [0, 1]}
unknowns: [u]
learn: {k: {start: 0.5, truth: 0.6}}
equations: {a: u_x = k*u}
conditions: {start: {where: x = 0, equation: u = 1}, middle: {at: {x: k}, equation: u = 1}}
-- 5:71 k

== a learned constant for a face
coordinates: {x: [0, 1]}
unknowns: [u]
learn: {k: {start: 0.5}}
equations: {a: u_x = k*u}
conditions: {start: {where: x = k, equation: u = 1}}
-- 5:33 k

=+ a learned constant that picks faces
learn: {k: {start: 0.5}}
conditions: {start: {where: t = 0, only: x > k, equation: u = k}}
-- 5:46 k
"""

CONDITIONS_OF_ALL_KINDS = r"""
=+ two places
conditions: {start: {where: t = 0, at: {x: 0}, equation: u = 0}}
-- 4:14 start

=+ a face and a file
conditions: {start: {where: t = 0, data: a.csv, equation: u = 0}}
-- 4:14 start

=+ a place within an integral that is none
conditions: {start: {at: {x: 0}, over: x, equation: u = 0}}
-- 4:34 over

=+ keys of another kind
conditions: {start: {where: t = 0, equals: 1, fields: u, equation: u = 0}}
-- 4:36 equals
-- 4:47 fields

=+ neither a place nor anything else
conditions: {start: {}}
-- 4:14 start

=+ a word for a condition
conditions: {start: u = 0}
-- 4:21 u = 0

=+ a key that holds nothing
conditions: {start: {where: t = 0, only: , equation: u = 0}}
-- 4:41

=+ a place that holds nothing
conditions: {start: {periodic: }}
-- 4:31

=+ a normal at the start
conditions: {start: {where: t = 0, equation: u_n = 0}}
-- 4:46 u_n

=+ a normal inside
conditions: {start: {at: {x: 0.5}, equation: u_n = 0}}
-- 4:46 u_n

== a normal in an equation
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {a: u_x = u_n}
conditions: {start: {where: x = 0, equation: u = 1}}
-- 3:22 u_n

=+ a normal on faces of space and time
conditions: {start: {where: [t = 0, x = 0], equation: u_n = 0}}
-- 4:55 u_n

=+ a normal derivative of no unknown
conditions: {start: {where: x = 0, equation: v_n = 0}}
-- 4:46 v_n

=+ a face that lies inside
conditions: {start: {where: x = 0.5, equation: u = 0}}
-- 4:29 x = 0.5

=+ a part that is nowhere
conditions: {start: {where: t = 0, only: x > 2, equation: u = 0}}
-- 4:42 x > 2

=+ a part that is tiny
conditions: {start: {where: t = 0, only: x > 0.9999999, equation: u = 0}}
-- 4:42 x > 0.9999999

=+ an equation for a part
conditions: {start: {where: t = 0, only: x = 0.5, equation: u = 0}}
-- 4:42 x = 0.5

=+ a number for a part
conditions: {start: {where: t = 0, only: x + 1, equation: u = 0}}
-- 4:42 x + 1

=+ the unknown picks a part
conditions: {start: {where: t = 0, only: u > 0, equation: u = 0}}
-- 4:42 u

=+ a list of parts
conditions: {start: {where: t = 0, only: [x > 0.5], equation: u = 0}}
-- 4:42 [

=+ a point outside
conditions: {start: {at: {x: 2}, equation: u = 0}}
-- 4:30 2

=+ a point along no coordinate
conditions: {start: {at: {y: 0}, equation: u = 0}}
-- 4:27 y

=+ a point that moves
conditions: {start: {at: {x: t}, equation: u = 0}}
-- 4:30 t

=+ no point
conditions: {start: {at: {}, equation: u = 0}}
-- 4:26 {

=+ a word for a point
conditions: {start: {at: x = 0, equation: u = 0}}
-- 4:26 x = 0

=+ a list for a point
conditions: {start: {at: {x: [0, 1]}, equation: u = 0}}
-- 4:30 [

=+ a point without an equation
conditions: {start: {at: {x: 0.5}}}
-- 4:14 start

=+ periodic in no coordinate
conditions: {wrap: {periodic: X}}
-- 4:31 X

=+ periodic in a list
conditions: {wrap: {periodic: [x]}}
-- 4:31 [

=+ a periodic equation
conditions: {wrap: {periodic: x, equation: u = 0}}
-- 4:44 u = 0

=+ a periodic derivative along no coordinate
conditions: {wrap: {periodic: x, equation: [u, u_y]}}
-- 4:48 u_y

=+ an integral over no coordinate
conditions: {mass: {integral: u, over: y}}
-- 4:40 y

=+ an integral over nothing
conditions: {mass: {integral: u, over: []}}
-- 4:40 [

=+ an integral over a number
conditions: {mass: {integral: u, over: 3}}
-- 4:40 3

=+ an integral of no unknown
conditions: {mass: {integral: x**2}}
-- 4:31 x**2

=+ an equation for an integral
conditions: {mass: {integral: u = 1}}
-- 4:31 u = 1

=+ an integral that equals the unknown
conditions: {mass: {integral: u, equals: u}}
-- 4:42 u

=+ an integral that equals an integrated coordinate
conditions: {mass: {integral: u, equals: x*t}}
-- 4:42 x*t

=+ an integral at an integrated coordinate
conditions: {mass: {integral: u, at: {x: 0.5}}}
-- 4:39 x

=+ an integral at a time outside
conditions: {mass: {integral: u, at: {t: 2}}}
-- 4:42 2

=+ an integral with an equation
conditions: {mass: {integral: u, equation: u = 0}}
-- 4:34 equation

=+ an integral with very many points
conditions: {mass: {integral: u, points: 1000000}}
-- 4:31 u

== an integral over no space
coordinates: {t: [0, 1]}
unknowns: [u]
equations: {a: u_t = u}
conditions: {mass: {integral: u}}
-- 4:14 mass

== an integral over many coordinates
coordinates: {a: [0, 1], b: [0, 1], c: [0, 1], d: [0, 1], f: [0, 1]}
unknowns: [u]
equations: {p: laplacian(u) = 0}
conditions: {edge: {where: boundary, equation: u = 1}, mass: {integral: u}}
-- 4:73 u
"""

OBSERVED = r"""
=+ a file that is missing
conditions: {m: {data: none.csv}}
-- 4:24 none.csv

=+ a column that is missing
conditions: {m: {data: a.csv, equation: u_x = temp}}
-- 4:41 u_x = temp

=+ a column that holds words
conditions: {m: {data: a.csv, equation: u_x = word}}
-- 4:24 a.csv

=+ a column without an unknown
conditions: {m: {data: a.csv, equation: flux = 0}}
-- 4:41 flux = 0

=+ a file without the unknown
conditions: {m: {data: nou.csv}}
-- 4:24 nou.csv

=+ a value that is not finite
conditions: {m: {data: nan.csv}}
-- 4:24 nan.csv

=+ points outside the domain
conditions: {m: {data: out.csv}}
-- 4:24 out.csv

=+ fields of no unknown
conditions: {m: {data: a.csv, fields: [u, flux]}}
-- 4:43 flux

=+ no fields
conditions: {m: {data: a.csv, fields: []}}
-- 4:39 [

=+ weights below zero
conditions: {m: {data: a.csv, weights: neg}}
-- 4:40 neg

=+ weights that are all zero
conditions: {m: {data: a.csv, weights: zero}}
-- 4:40 zero

=+ a misspelt column of weights
conditions: {m: {data: a.csv, weights: ww}}
-- 4:40 ww

=+ a number for the weights
conditions: {m: {data: a.csv, weights: 3}}
-- 4:40 3

=+ weights with an underscore
conditions: {m: {data: a.csv, weights: my__w}}
-- 4:40 my__w

=+ a name that is not read
conditions: {m: {data: a.csv, names: {q: w}}}
-- 4:39 q

=+ a file with a number of points
conditions: {m: {data: a.csv, points: 3}}
-- 4:31 points

=+ a number for a file
conditions: {m: {data: 3}}
-- 4:24 3

=+ noise on a file
data: {file: a.csv, noise: 0.1}
-- 4:21 noise

=+ fields of a file that are no unknowns
data: {file: a.csv, fields: flux}
-- 4:29 flux

=+ weights of a file below zero
data: {file: a.csv, weights: neg}
-- 4:30 neg

=+ weights of a file that are all zero
data: {file: a.csv, weights: zero}
-- 4:30 zero

=+ weights of a file that are missing
data: {file: a.csv, weights: missing}
-- 4:30 missing

=+ the reference observed, and none asked for
data: {reference: true, points: 10}
reference: none
-- 4:19 true

=+ the name of a reference observed
data: {reference: hopf-cole, points: 10}
-- 4:19 hopf-cole

=+ the reference and a target
data: {reference: true, target: {u: x}, points: 10}
-- 4:1 data

=+ fields of a target
data: {target: {u: x}, points: 10, fields: [u]}
-- 4:36 fields

=+ a target that is not finite
data: {target: {u: log(x - 1)}, points: 10}
-- 4:20 log(x - 1)

=+ negative noise
data: {target: {u: x}, points: 10, noise: -1}
-- 4:43 -1

=+ nothing for a target
data: {target: , points: 10}
-- 4:15
"""

POINTS = r"""
=+ shares that leave nothing
points: {importance: [{where: x > 0.5, share: 0.6}, {where: x < 0.1, share: 0.4}]}
-- 4:10 importance

=+ a whole share
points: {importance: [{where: x > 0.5, share: 1}]}
-- 4:47 1

=+ importance of nothing
points: {importance: [{where: x > 2, share: 0.5}]}
-- 4:31 x > 2

=+ importance of an equation
points: {importance: [{where: x = 0.5, share: 0.5}]}
-- 4:31 x = 0.5

=+ importance of the unknown
points: {importance: [{where: u > 0, share: 0.5}]}
-- 4:31 u

=+ importance without a share
points: {importance: [{where: x > 0.5}]}
-- 4:23 {

=+ importance as a word
points: {importance: x > 0.5}
-- 4:22 x > 0.5

=+ importance as a list of words
points: {importance: [x > 0.5]}
-- 4:23 x > 0.5

=+ importance of a list
points: {importance: [{where: [x > 0.5], share: 0.5}]}
-- 4:31 [

=+ a number for the renewal
points: {resample: 100}
-- 4:20 100

=+ a renewal without its period
points: {resample: {}}
-- 4:10 resample

=+ too many candidates
points: {resample: {every: 10, candidates: 1000}}
-- 4:44 1000

=+ no points for the validation
points: {validation: 0}
-- 4:22 0

=+ a number for the balance
weights: {balance: 3}
-- 4:20 3

=+ a balance without a method
weights: {balance: {every: 10}}
-- 4:11 balance

=+ a misspelt balance
weights: {balance: gradnrom}
-- 4:20 gradnrom

=+ a misspelt method of the balance
weights: {balance: {method: grad_norm}}
-- 4:29 grad_norm

=+ a misspelt way of renewal
points: {resample: {every: 9, method: rarr}}
-- 4:39 rarr

=+ a misspelt key of the balance
weights: {balance: {metod: fixed}}
-- 4:21 metod

=+ a balance that never changes
weights: {balance: {method: fixed, momentum: 1}}
-- 4:46 1
"""

FUNCTIONS = r"""
=+ a Python file that is missing
functions: none.py
-- 4:12 none.py

=+ a folder of Python
functions: .
-- 4:12 .

=+ a Python file that raises
functions: raises.py
-- 4:12 raises.py

=+ a Python file that ends the program
functions: exits.py
-- 4:12 exits.py

=+ a Python file that cannot be read
functions: syntax.py
-- 4:12 syntax.py

=+ a number for a Python file
functions: 3
-- 4:12 3

=+ a function named like another
functions: clash.py
-- 4:12 clash.py
-- 4:12 clash.py

== a Python function with too few arguments
coordinates: {x: [0, 1]}
unknowns: [u]
functions: laws.py
equations: {a: u_x = product(u)}
conditions: {start: {where: x = 0, equation: u = 1}}
-- 4:22 product(u)

== a misspelt Python function
coordinates: {x: [0, 1]}
unknowns: [u]
functions: laws.py
equations: {a: u_x = squared(u)}
conditions: {start: {where: x = 0, equation: u = 1}}
-- 4:22 squared

== a Python function that is differentiated
coordinates: {x: [0, 1]}
unknowns: [u]
functions: laws.py
equations: {a: "u = D(square(u), x)"}
conditions: {start: {where: x = 0, equation: u = 1}}
-- 4:23 square(u)

== a Python function in a reference
coordinates: {x: [0, 1]}
unknowns: [u]
functions: laws.py
equations: {a: u_x = square(u)}
conditions: {start: {where: x = 0, equation: u = 1}}
reference: {exact: {u: square(x)}}
-- 6:24 square(x)
"""

FILES = {
    "a.csv": "x,t,u,w,word,neg,zero,flux\n0,0,1,1,a,1,0,2\n0.5,0.5,2,2,b,-1,0,3\n",
    "out.csv": "x,t,u\n0,0,1\n5,0,1\n",
    "nan.csv": "x,t,u\n0,0,nan\n",
    "nou.csv": "x,t\n0,0\n",
    "laws.py": "def square(a):\n    return a * a\n\n\ndef product(a, b):\n    return a * b\n",
    "raises.py": "raise ValueError('no luck')\n",
    "exits.py": "import sys\n\nsys.exit(3)\n",
    "syntax.py": "def f(:\n",
    "clash.py": "def sin(a):\n    return a\n\n\ndef u(a):\n    return a\n",
}


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that specs name, in the folder where the tests run."""
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        Path(name).write_text(content)


@pytest.mark.parametrize(
    ("yaml", "assignments", "marks"),
    cases(DETERMINED, FORM, LEARNED, CONDITIONS_OF_ALL_KINDS, OBSERVED, POINTS, FUNCTIONS),
)
def test_complete_message(
    yaml: str, assignments: list[str], marks: list[str], snapshot: SnapshotAssertion
) -> None:
    error = spec_error(yaml, assignments, allow_python=True)
    assert marks_of(error) == marks
    assert str(error) == snapshot


def test_python_needs_permission(snapshot: SnapshotAssertion) -> None:
    error = spec_error(START + "functions: laws.py\n" + CONDITIONS)
    assert marks_of(error) == ["4:12 laws.py"]
    assert str(error) == snapshot


@pytest.mark.parametrize(
    "body", ["raise KeyError('a')", "return a.numpy()", "return 'x'", "return None"]
)
def test_functions_that_fail_when_they_are_called(body: str, snapshot: SnapshotAssertion) -> None:
    Path("laws.py").write_text(f"def f(a):\n    {body}\n")
    yaml = START.replace("u_xx", "u_xx + f(u)") + "functions: laws.py\n" + CONDITIONS
    plan = make_plan(Text("spec.yaml", yaml), allow_python=True)
    with pytest.raises(SpecError) as caught:
        inspect(plan)
    assert str(caught.value) == snapshot


def test_functions_with_defaults_and_hidden_ones() -> None:
    """Arguments with a default are left out; what takes any number of them cannot be called."""
    Path("laws.py").write_text(
        "def f(a, b=2):\n    return a * b\n\n\ndef g(*a):\n    return a[0]\n"
    )
    plan = make_plan(
        Text("spec.yaml", START + "functions: laws.py\n" + CONDITIONS), allow_python=True
    )
    assert {name: function.n_arguments for name, function in plan.problem.functions.items()} == {
        "f": 1
    }


SYSTEM = """
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u, v]
equations: {a: u_t = v_xx, b: v_t = u_xx}
conditions:
  start: {where: t = 0, equation: [u = 0, v = 0]}
  walls: {where: boundary, equation: [u = 0, v = 0]}
reference: none
"""

# Each: what is changed in SYSTEM, and how many warnings it then gets.
WARNINGS = {
    "nothing": ([], 0),
    "one unknown lacks its start": (["conditions.start.equation=u = 0"], 1),
    "one unknown lacks a wall": (
        ["conditions.walls={where: x = 0, equation: [u = 0, v = 0]}", "conditions.other={where: x = 1, equation: u = 0}"],
        1,
    ),
    "data may stand for what is missing": (
        ["conditions.start.equation=u = 0", "data={target: {u: x, v: x}, points: 9}"],
        0,
    ),
    "a point inside may stand for what is missing": (
        ["conditions.start={at: {t: 0.5}, equation: u = 0}"],
        0,
    ),
    "a consistent start of an unknown that is not derived along time": (
        ["equations={a: u_t = v, b: v = u**2}", "conditions={start: {where: t = 0, equation: [u = x, v = x**2]}}"],
        0,
    ),
    "a learned constant takes more conditions": (
        ["learn={k: {start: 1}}", "equations.a=u_t = k*v_xx", "conditions.flux={where: x = 0, equation: u_x = 0}"],
        0,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "n_warnings"), WARNINGS.values(), ids=WARNINGS)
def test_warnings_of_what_may_be_missing(
    changes: list[str], n_warnings: int, snapshot: SnapshotAssertion
) -> None:
    warnings = plan_of(SYSTEM, *changes).problem.warnings
    assert len(warnings) == n_warnings
    if warnings:
        assert "\n".join(warnings) == snapshot


PLATE = """
coordinates: {x: [0, 2], y: [0, 1]}
unknowns: [u]
equations: {steady: u_xx + u_yy = 0}
conditions:
  lid: {where: y = 1, equation: u = 1}
  walls: {where: [x = 0, x = 2, y = 0], equation: u = 0}
reference: none
"""
ROD = ["coordinates={x: [0, 2], t: [0, 1]}", "equations.steady=u_t = u_xx"]

# Each: what is changed in PLATE, and whether values disagree.
CORNERS = {
    "a hot lid": ([], True),
    "written otherwise": (["conditions.lid.equation=3*u/(1 + x) = 3/(1 + x)", "conditions.walls.equation=x*y = u + x*y"], True),
    "in one corner": (["conditions.lid.equation=u = sin(pi*x/4)"], True),
    "that vanishes up to rounding": (["conditions.lid.equation=u = sin(pi*x/2)"], False),
    "that vanishes nearly": (["conditions.lid.equation=u = exp(-20*(x - 1)**2)"], False),
    "at the same value": (["conditions.walls.equation=u = 1"], False),
    "of which a part is hot": (["conditions.lid={where: y = 1, only: x > 0.5 and x < 1.5, equation: u = 1}"], False),
    "a flux": (["conditions.lid.equation=u_y = 1"], False),
    "a loss": (["conditions.lid.equation=u + u_y = 1"], False),
    "no value of one sign": (["conditions.lid.equation=u**2 = 1"], False),
    "a learned value": (["conditions.lid.equation=u = k", "learn={k: {start: 1}}", "data={target: {u: y}, points: 9}"], False),
    "a start": ([*ROD, "conditions={start: {where: t = 0, equation: u = x}, walls: {where: boundary, equation: u = t}}"], True),
    "in space alone": (["coordinates.z=[0, 1]", "equations.steady=laplacian(u) = 0", "conditions.walls.where=[x = 0, x = 2, y = 0, z = 0, z = 1]", "conditions.lid.equation=u = z*(1 - z)*(2 - x)"], True),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "disagree"), CORNERS.values(), ids=CORNERS)
def test_values_that_disagree_where_they_meet(
    changes: list[str], disagree: bool, snapshot: SnapshotAssertion
) -> None:
    warnings = plan_of(PLATE, *changes).problem.warnings
    assert len(warnings) == disagree
    if disagree:
        assert warnings[0] == snapshot


@pytest.mark.parametrize(
    "equation",
    [
        "u_t = u_xx + where(x > 0.5, sqrt(x - 0.5), 0)",
        "u_t = u_xx + where(x > 0, u_x/x, 0)",
        "u_t = u_xx + log(u - 5*x)",
        "u_t = u_xx/(1 + x)",
    ],
)
def test_values_that_may_be_finite_are_not_refused(equation: str) -> None:
    yaml = START.replace("u_t = u_xx", f'"{equation}"') + CONDITIONS
    assert plan_of(yaml, "points.sampler=grid", "reference=none").problem.warnings == ()


# Each: an equation of u on x, y and t, and whether waves grow from a start with u.
GROWING = {
    "heat": ("u_t = u_xx", False),
    "heat that runs back": ("u_t = -0.1*u_xx", True),
    "with a coefficient of one sign": ("x + u_t = -D((1 + u**2)*u_x, x)", True),
    "with a coefficient of two signs": ("u_t = (x - 0.5)*u_xx", False),
    "with an unknown sign": ("u_t = u*u_xx", False),
    "short waves are damped": ("u_t = -u_xx - u_xxxx", False),
    "a beam of heat": ("u_t = u_xxxx", True),
    "waves": ("u_tt = u_xx", False),
    "Laplace's equation from a start": ("u_tt = -u_xx", True),
    "dispersion": ("u_t = u_xxx - u_xx", False),
    "of a rate": ("u_t - u_xxt = u_xx", False),
    "a plane, back along y alone": ("u_t = u_xx - u_yy", True),
}


@pytest.mark.parametrize(("equation", "grows"), GROWING.values(), ids=GROWING)
def test_waves_that_grow_without_bound(equation: str, grows: bool) -> None:
    yaml = f"""
coordinates: {{x: [0, 1], y: [0, 1], t: [0, 1]}}
unknowns: [u]
equations: {{e: "{equation}"}}
conditions: {{start: {{where: t = 0, equation: u = 0}}, walls: {{where: [x = 0, x = 1, y = 0, y = 1], equation: u = 0}}}}
reference: none
"""
    if "yy" not in equation:
        yaml = yaml.replace("y: [0, 1], ", "").replace(", y = 0, y = 1", "")
    if grows:
        assert "from its start: the shorter waves along" in message(yaml)
    else:
        plan_of(yaml)


VALUES = ["", "~", "true", "3", "-1.5", "1e999", "u", "x = 0", "''", "[]", "{}", "[[]]", "[{}]", "{a: {b: {}}}", "[1, u]", "{x: 1}", "'(('", "u_xxxxx", "'\\0'", "ü", "a" * 3000, "(" * 200]  # fmt: skip
KEYS = [
    *(
        f"conditions.start.{key}"
        for key in ("where", "only", "at", "at.x", "periodic", "equation", "points")
    ),
    *(
        f"conditions.m.{key}"
        for key in ("integral", "over", "equals", "data", "names", "names.u", "fields", "weights")
    ),
    *(
        "periodic",
        "periodic.x",
        "transform",
        "transform.u",
        "functions",
        "learn",
        "learn.k",
        "learn.k.start",
    ),
    *(
        "learn.k.bounds",
        "learn.k.positive",
        "learn.k.truth",
        "points.importance",
        "points.importance.0.where",
    ),
    *(
        "points.importance.0.share",
        "points.resample",
        "points.resample.every",
        "points.resample.method",
    ),
    *(
        "weights.balance",
        "weights.balance.method",
        "weights.balance.momentum",
        "data.target",
        "data.reference",
    ),
    *("data.file", "data.noise", "data.fields", "data.weights", "reference"),
]
BODIES = (
    "conditions: {start: {where: t = 0, equation: u = 0}, m: {integral: u}}\n",
    "conditions: {start: {at: {x: 0}, equation: u = 0}, m: {data: a.csv}}\n",
)


@pytest.mark.parametrize("key", KEYS)
def test_nonsense_is_a_fault_of_the_spec_or_none(key: str) -> None:
    """Whatever stands at a key: the one error that is the user's to mend, or a plan."""
    refused = 0
    for body in BODIES:
        for value in VALUES:
            try:
                plan_of(START + body, f"{key}={value}")
            except SpecError as error:
                refused += 1
                assert "None" not in str(error).replace("NoneType", "")
    assert refused > len(VALUES)


def test_files_are_read_beside_the_spec(tmp_path: Path) -> None:
    folder = tmp_path / "below"
    folder.mkdir()
    (folder / "b.csv").write_text(FILES["a.csv"])
    yaml = START + CONDITIONS + "data: {file: b.csv}\n"
    assert len(make_plan(Text(str(folder / "spec.yaml"), yaml)).draw_points()["data"]) == 2
    assert not Path("b.csv").exists()
