"""Faulty conditions, forms, data, learned constants and Python functions, and the message that each of them gets."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import plan_of
from fault_tables import CONDITIONS, START, cases, message

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
--
spec.yaml:7:3: 3 conditions stand on the faces of 'x', and the equations take 2
   7 |   flux: {where: x = 0, equation: u_x = 0}
     |   ^^^^
Their order along 'x' is 2: take 1 out.

=+ a rate at the start of a heat equation
conditions:
  start: {where: t = 0, equation: [u = 0, u_t = 0]}
  walls: {where: boundary, equation: u = 0}
--
spec.yaml:5:3: 2 conditions stand on the faces of 't', and the equations take 1
   5 |   start: {where: t = 0, equation: [u = 0, u_t = 0]}
     |   ^^^^^
Their order along 't' is 1: take 1 out.

== both walls of an equation of first order
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {move: u_t + u_x = 0}
conditions:
  start: {where: t = 0, equation: u = sin(x)}
  walls: {where: boundary, equation: u = 0}
--
spec.yaml:6:3: 2 conditions stand on the faces of 'x', and the equations take 1
   6 |   walls: {where: boundary, equation: u = 0}
     |   ^^^^^
Their order along 'x' is 1: take 1 out.

== too many conditions for a system
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u, v]
equations: {a: u_t = v_x, b: v_t = u_x}
conditions:
  start: {where: t = 0, equation: [u = 0, v = 0]}
  walls: {where: boundary, equation: [u = 0, v = 0]}
--
spec.yaml:6:3: 4 conditions stand on the faces of 'x', and the equations take 2
   6 |   walls: {where: boundary, equation: [u = 0, v = 0]}
     |   ^^^^^
Orders along 'x' add up to 2: take 2 out.

== more equations than unknowns
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {move: u_t + u_x = 0, stay: u_t = 0}
conditions: {start: {where: t = 0, equation: u = sin(x)}}
--
spec.yaml:3:1: 2 equations stand for 1 unknown
   3 | equations: {move: u_t + u_x = 0, stay: u_t = 0}
     | ^^^^^^^^^
More equations than unknowns contradict each other, in general.

== a learned constant and no data
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
learn: {k: {start: 1}}
equations: {heat: u_t = k*u_xx}
conditions: {start: {where: t = 0, equation: u = 0}, walls: {where: boundary, equation: u = 0}}
--
spec.yaml:3:9: nothing determines the learned constant 'k'
   3 | learn: {k: {start: 1}}
     |         ^
The conditions are as many as the equations need for any value of it: add what was measured, data: {file: FILE}, or one condition more.

== a learned field and no data
coordinates: {x: [0, 1]}
unknowns: [u, q]
equations: {rod: u_xx = q}
conditions: {walls: {where: boundary, equation: u = 0}}
--
spec.yaml:3:1: 1 equation stands for 2 unknowns, and there are no data
   3 | equations: {rod: u_xx = q}
     | ^^^^^^^^^
Add an equation, or what was measured: data: {file: FILE}.

== a pressure without a level
coordinates: {x: [0, 1], y: [0, 1], t: [0, 1]}
unknowns: [u, v, p]
equations: {a: u_t + p_x = laplacian(u), b: v_t + p_y = laplacian(v), c: u_x + v_y = 0}
conditions:
  start: {where: t = 0, equation: [u = 0, v = 0]}
  walls: {where: boundary, equation: [u = 0, v = 0]}
  flux: {periodic: x, equation: p}
--
spec.yaml:2:18: only derivatives of 'p' are given, so that any constant may be added to it
   2 | unknowns: [u, v, p]
     |                  ^
Give it a value, as in conditions: {level: {at: {x: 0, y: 0}, equation: p = 0}}.

== two fluxes and no value
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {rod: u_xx = 0}
conditions: {ends: {where: boundary, equation: u_x = 1}}
--
spec.yaml:2:12: only derivatives of 'u' are given, so that any constant may be added to it
   2 | unknowns: [u]
     |            ^
Give it a value, as in conditions: {level: {at: {x: 0}, equation: u = 0}}.

== heat that runs back in time
coordinates: {x: [0, 1], t: [0, 2]}
unknowns: [u]
equations: {heat: u_t = -u_xx}
conditions: {start: {where: t = 0, equation: u = 0}, walls: {where: boundary, equation: u = 0}}
--
spec.yaml:3:13: the equation 'heat' has no solution from its start: the shorter waves along 'x' are, the faster they grow
   3 | equations: {heat: u_t = -u_xx}
     |             ^^^^
Change the sign of u_xx, or let the conditions in time stand at the other end: where: t = 2.

=+ heat with a condition at the end
conditions: {last: {where: t = 1, equation: u = 0}, walls: {where: boundary, equation: u = 0}}
--
spec.yaml:3:13: the equation 'heat' has no solution from its end: the shorter waves along 'x' are, the faster they grow
   3 | equations: {heat: u_t = u_xx}
     |             ^^^^
Change the sign of u_xx, or let the conditions in time stand at the other end: where: t = 0.

=+ a start without values everywhere
conditions:
  start: {where: t = 0, equation: u = sqrt(x - 0.5), points: 4}
  walls: {where: boundary, equation: u = 0}
points: {sampler: grid}
--
spec.yaml:5:3: condition 'start' is not finite at x = 0, t = 0 (2 of 4 points)
   5 |   start: {where: t = 0, equation: u = sqrt(x - 0.5), points: 4}
     |   ^^^^^
Change the formula, or let 'only' leave such points out.

== an equation that divides by a coordinate
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {heat: u_t = u_xx + u_x/x}
conditions: {start: {where: t = 0, equation: u = 0}, walls: {where: boundary, equation: u = 0}}
points: {sampler: grid, interior: 16}
--
spec.yaml:3:13: equation 'heat' is not finite at x = 0, t = 0 (4 of 16 points)
   3 | equations: {heat: u_t = u_xx + u_x/x}
     |             ^^^^
Change the formula, or the bounds of the domain.

=+ a transform without a value at the start
transform: {u: log(t)*net}
points: {sampler: grid}
--
spec.yaml:4:1: with this transform, equation 'heat' is not finite at x = 0, t = 0 (100 of 10000 points)
   4 | transform: {u: log(t)*net}
     | ^^^^^^^^^
Change it, or the bounds of the domain.

=+ no condition at the start
conditions: {walls: {where: boundary, equation: u = 0}}
--
spec.yaml:3:1: no condition stands at the start, t = 0, so many solutions fit
   3 | equations: {heat: u_t = u_xx}
     | ^^^^^^^^^
As in conditions: {start: {where: t = 0, equation: u = 0}}.

=+ no walls
conditions: {start: {where: t = 0, equation: u = 0}}
--
spec.yaml:3:1: no condition stands on the faces of 'x', so many solutions fit
   3 | equations: {heat: u_t = u_xx}
     | ^^^^^^^^^
As in conditions: {ends: {where: [x = 0, x = 1], equation: u = 0}}, or periodic: {x: true}.

=+ no conditions at all
conditions: {}
--
spec.yaml:3:1: no condition stands on the faces of 'x', so many solutions fit
   3 | equations: {heat: u_t = u_xx}
     | ^^^^^^^^^
As in conditions: {ends: {where: [x = 0, x = 1], equation: u = 0}}, or periodic: {x: true}.

spec.yaml:3:1: no condition stands at the start, t = 0, so many solutions fit
   3 | equations: {heat: u_t = u_xx}
     | ^^^^^^^^^
As in conditions: {start: {where: t = 0, equation: u = 0}}.

=+ a transform in place of conditions
transform: {u: x*(1 - x)*t*net}
conditions: {}
--
spec.yaml:3:1: no condition stands on the faces of 'x', so many solutions fit
   3 | equations: {heat: u_t = u_xx}
     | ^^^^^^^^^
As in conditions: {ends: {where: [x = 0, x = 1], equation: u = 0}}, or periodic: {x: true}. What the transform meets is stated as well: then it is checked.

spec.yaml:3:1: no condition stands at the start, t = 0, so many solutions fit
   3 | equations: {heat: u_t = u_xx}
     | ^^^^^^^^^
As in conditions: {start: {where: t = 0, equation: u = 0}}. What the transform meets is stated as well: then it is checked.

=+ periodic, and a wall as well
conditions:
  start: {where: t = 0, equation: u = 0}
  wrap: {periodic: x}
  wall: {where: x = 0, equation: u = 0}
--
spec.yaml:7:3: 3 conditions stand on the faces of 'x', and the equations take 2
   7 |   wall: {where: x = 0, equation: u = 0}
     |   ^^^^
Their order along 'x' is 2: take 1 out.

=+ periodic in two conditions
conditions:
  start: {where: t = 0, equation: u = 0}
  wrap: {periodic: x}
  again: {periodic: x}
--
spec.yaml:7:3: 4 conditions stand on the faces of 'x', and the equations take 2
   7 |   again: {periodic: x}
     |   ^^^^^
Their order along 'x' is 2: take 2 out.

=+ periodic in the inputs, and a wall as well
periodic: {x: true}
conditions:
  start: {where: t = 0, equation: u = 0}
  wall: {where: x = 0, equation: u = 0}
--
spec.yaml:7:17: 'x' is periodic, so 'x = 0' is no face and takes no condition
   7 |   wall: {where: x = 0, equation: u = 0}
     |                 ^^^^^
Take 'x' out of 'periodic', or this condition out of the spec.

=+ periodic in the inputs, and all walls as well
periodic: {x: true}
conditions:
  start: {where: t = 0, equation: u = 0}
  walls: {where: boundary, equation: u = 0}
--
spec.yaml:7:18: 'boundary' means the faces in space, and there are none
   7 |   walls: {where: boundary, equation: u = 0}
     |                  ^^^^^^^^
No coordinate of space is left that is not periodic.

=+ periodic inputs that break a periodic condition
periodic: {x: true}
conditions:
  start: {where: t = 0, equation: u = 0}
  wrap: {periodic: x, equation: [u + x, u_x]}
--
spec.yaml:4:11: the periodic inputs break the condition 'wrap': it is off by 1, whatever the network
   4 | periodic: {x: true}
     |           ^
Take the coordinate out of 'periodic', or this condition out of the spec.

=+ a learned constant that stands nowhere
learn: {k: {start: 1}}
--
spec.yaml:4:9: nothing depends on the learned constant 'k'
   4 | learn: {k: {start: 1}}
     |         ^
Let it stand in an equation or a condition, or make it one of the constants.
"""

FORM = r"""
=+ periodic along no coordinate
periodic: {y: true}
--
spec.yaml:4:12: 'y' is not a coordinate
   4 | periodic: {y: true}
     |            ^
Coordinates: x, t.

=+ not periodic
periodic: {x: false}
--
spec.yaml:4:15: 'x' is true or a number of harmonics, not false
   4 | periodic: {x: false}
     |               ^^^^^
Write x: true, or a number from 1 to 64; leave out what is not periodic.

=+ no harmonics
periodic: {x: 0}
--
spec.yaml:4:15: 'x' must be at least 1, not 0
   4 | periodic: {x: 0}
     |               ^
Write x: true, or a number from 1 to 64; leave out what is not periodic.

=+ too many harmonics
periodic: {x: 65}
--
spec.yaml:4:15: 'x' must be at most 64, not 65
   4 | periodic: {x: 65}
     |               ^^
Write x: true, or a number from 1 to 64; leave out what is not periodic.

=+ half a harmonic
periodic: {x: 1.5}
--
spec.yaml:4:15: 'x' is true or a number of harmonics, not 1.5
   4 | periodic: {x: 1.5}
     |               ^^^
Write x: true, or a number from 1 to 64; leave out what is not periodic.

=+ a word for the periodic coordinates
periodic: x
--
spec.yaml:4:11: 'periodic' is a mapping (key: value), not 'x'
   4 | periodic: x
     |           ^
As in periodic: {x: true}.

=+ a list of periodic coordinates
periodic: [x]
--
spec.yaml:4:11: 'periodic' is a mapping (key: value), not a list
   4 | periodic: [x]
     |           ^
As in periodic: {x: true}.

=+ a transform that contains no output
transform: {u: sin(pi*x)}
--
spec.yaml:4:16: the transform of 'u' contains no output of the network, so nothing is left to learn
   4 | transform: {u: sin(pi*x)}
     |                ^^^^^^^^^
Outputs: net.

=+ a transform whose output vanishes
transform: {u: 0*net + x}
--
spec.yaml:4:16: the transform of 'u' contains no output of the network, so nothing is left to learn
   4 | transform: {u: 0*net + x}
     |                ^^^^^^^^^
Outputs: net.

=+ a transform of no unknown
transform: {v: x*net}
--
spec.yaml:4:13: 'v' is not an unknown
   4 | transform: {v: x*net}
     |             ^
Unknowns: u.

=+ a misspelt output
transform: {u: x*nte}
--
spec.yaml:4:18: unknown name 'nte' in the transform of 'u'
   4 | transform: {u: x*nte}
     |                  ^^^
Did you mean 'net'?

=+ an output of several, where there is one
transform: {u: x*net_u}
--
spec.yaml:4:18: 'net_u' is no output of the network in the transform of 'u'
   4 | transform: {u: x*net_u}
     |                  ^^^^^
It is made from outputs of the network: net.

=+ the unknown for its output
transform: {u: x*u}
--
spec.yaml:4:18: 'u' is an unknown itself in the transform of 'u'
   4 | transform: {u: x*u}
     |                  ^
It is made from outputs of the network: net.

== an output without its unknown
coordinates: {x: [0, 1]}
unknowns: [u, v]
equations: {a: u_x = v, b: v_x = u}
conditions: {start: {where: x = 0, equation: [u = 0, v = 1]}}
transform: {u: x*net}
--
spec.yaml:5:18: 'net' is no output of the network in the transform of 'u'
   5 | transform: {u: x*net}
     |                  ^^^
It is made from outputs of the network: net_u, net_v.

== an output of no unknown
coordinates: {x: [0, 1]}
unknowns: [u, v]
equations: {a: u_x = v, b: v_x = u}
conditions: {start: {where: x = 0, equation: [u = 0, v = 1]}}
transform: {u: x*net_w}
--
spec.yaml:5:18: unknown name 'net_w' in the transform of 'u'
   5 | transform: {u: x*net_w}
     |                  ^^^^^
Did you mean 'net_v'?

=+ an equation for a transform
transform: {u: u = x*net}
--
spec.yaml:4:18: an equation stands where a value is expected in the transform of 'u'
   4 | transform: {u: u = x*net}
     |                  ^
Write the value alone.

=+ a comparison for a transform
transform: {u: net > 0}
--
spec.yaml:4:16: a comparison stands where a number is expected in the transform of 'u'
   4 | transform: {u: net > 0}
     |                ^^^^^^^
Comparisons stand in the first argument of where(condition, b, c).

=+ nothing for a transform
transform: {u: }
--
spec.yaml:4:15: 'u' is an expression, not empty
   4 | transform: {u: }
     |               ^

=+ a list for a transform
transform: {u: [x*net]}
--
spec.yaml:4:16: 'u' is an expression, not a list
   4 | transform: {u: [x*net]}
     |                ^

=+ a transform that is no mapping
transform: x*net
--
spec.yaml:4:12: 'transform' is a mapping (key: value), not 'x*net'
   4 | transform: x*net
     |            ^^^^^
As in transform: auto, or transform: {u: x*(1 - x)*net}.

=+ a transform of a high order
transform: {u: x*net_xxx}
--
spec.yaml:4:16: with this transform, the equation 'heat' cannot be derived: a derivative of order 5 of 'net' is needed
   4 | transform: {u: x*net_xxx}
     |                ^^^^^^^^^
Derivatives up to order 4 are supported.

=+ a transform that breaks a condition
transform: {u: 1 + t*net}
--
spec.yaml:4:16: the transform breaks the condition 'start': it is off by 1, whatever the network
   4 | transform: {u: 1 + t*net}
     |                ^^^^^^^^^
Change the transform so that it can meet the condition.

=+ a transform that jumps at the seam of a period
conditions: {start: {where: t = 0, equation: u = sin(2*pi*x)}}
periodic: {x: true}
transform: {u: sin(2*pi*x) + t*x*net}
--
spec.yaml:6:16: the transform of 'u' is not periodic in 'x': between x = 0 and x = 1 it jumps by up to 1.4
   6 | transform: {u: sin(2*pi*x) + t*x*net}
     |                ^^^^^^^^^^^^^^^^^^^^^
Write 'x' in functions of this period, as sin(2*pi*x/1).

=+ a transform that breaks a condition by little
transform: {u: 1.0e-7 + x*net}
--
spec.yaml:4:16: the transform breaks the condition 'walls': it is off by 1e-07, whatever the network
   4 | transform: {u: 1.0e-7 + x*net}
     |                ^^^^^^^^^^^^^^
Change the transform so that it can meet the condition.

== the second transform breaks a condition
coordinates: {x: [0, 1]}
unknowns: [u, v]
equations: {a: u_x = v, b: v_x = u}
conditions: {start: {where: x = 0, equation: [u = 0, v = 1]}}
transform: {u: x*net_u, v: 2 + x*net_v}
--
spec.yaml:5:16: the transform breaks the condition 'start': it is off by 1, whatever the network
   5 | transform: {u: x*net_u, v: 2 + x*net_v}
     |                ^^^^^^^
Change the transform so that it can meet the condition.

=+ a transform that elu is not smooth enough for
network: {activation: elu}
transform: {u: net + x*net_x}
--
spec.yaml:4:23: 'elu' does not suit the equation 'heat' of order 3, which the transform raises from 2
   4 | network: {activation: elu}
     |                       ^^^
Its second derivative jumps at 0 and its third does not exist there. Choices: tanh, sin, sigmoid, silu, gelu, softplus.

== a learned constant in a transform
coordinates: {x: [0, 1]}
unknowns: [u]
learn: {k: {start: 1, truth: 2}}
equations: {a: u_x = k*u}
conditions: {start: {where: x = 0, equation: u = 1}}
transform: {u: exp(k*x) + x*net}
--
spec.yaml:6:20: the transform of 'u' contains 'k', which is learned
   6 | transform: {u: exp(k*x) + x*net}
     |                    ^
A transform contains coordinates, constants and outputs.

== a Python function in a transform
coordinates: {x: [0, 1]}
unknowns: [u]
functions: laws.py
equations: {a: u_x = u}
conditions: {start: {where: x = 0, equation: u = 1}}
transform: {u: square(x)*net}
--
spec.yaml:6:16: the transform of 'u' calls 'square', a Python function
   6 | transform: {u: square(x)*net}
     |                ^^^^^^^^^^^^^
Only equations call those.
"""

LEARNED = r"""
=+ bounds that exclude the start
learn: {k: {start: 1, bounds: [2, 3]}}
--
spec.yaml:4:20: the start of 'k', 1, is not between 2 and 3
   4 | learn: {k: {start: 1, bounds: [2, 3]}}
     |                    ^
A learned constant stays strictly between its bounds.

=+ a start on a bound
learn: {k: {start: 2, bounds: [2, 3]}}
--
spec.yaml:4:20: the start of 'k', 2, is not between 2 and 3
   4 | learn: {k: {start: 2, bounds: [2, 3]}}
     |                    ^
A learned constant stays strictly between its bounds.

=+ bounds that exclude the truth
learn: {k: {start: 2, bounds: [1, 3], truth: 5}}
--
spec.yaml:4:46: the truth of 'k', 5, is not between 1 and 3
   4 | learn: {k: {start: 2, bounds: [1, 3], truth: 5}}
     |                                              ^
A learned constant stays strictly between its bounds.

=+ bounds in the wrong order
learn: {k: {start: 1, bounds: [3, 0]}}
--
spec.yaml:4:31: the lower bound of 'k', 3, is not below the upper, 0
   4 | learn: {k: {start: 1, bounds: [3, 0]}}
     |                               ^
The lower one stands first.

=+ a single bound
learn: {k: {start: 1, bounds: [0]}}
--
spec.yaml:4:31: 'bounds' needs 2 or more, and has 1
   4 | learn: {k: {start: 1, bounds: [0]}}
     |                               ^
As in bounds: [0, 5].

=+ a number for the bounds
learn: {k: {start: 1, bounds: 3}}
--
spec.yaml:4:31: 'bounds' is a list, not 3
   4 | learn: {k: {start: 1, bounds: 3}}
     |                               ^
As in bounds: [0, 5].

=+ words for the bounds
learn: {k: {start: 1, bounds: [0, inf]}}
--
spec.yaml:4:35: 'bounds.1' is a number, not 'inf'
   4 | learn: {k: {start: 1, bounds: [0, inf]}}
     |                                   ^^^

=+ positive and negative
learn: {k: {start: 1, positive: true, negative: true}}
--
spec.yaml:4:39: 'k' cannot be positive and negative
   4 | learn: {k: {start: 1, positive: true, negative: true}}
     |                                       ^^^^^^^^
Leave one of them out.

=+ positive, and a negative start
learn: {k: {start: -1, positive: true}}
--
spec.yaml:4:20: the start of 'k', -1, is not greater than 0
   4 | learn: {k: {start: -1, positive: true}}
     |                    ^^
A learned constant stays strictly between its bounds.

=+ negative, and a positive start
learn: {k: {start: 1, negative: true}}
--
spec.yaml:4:20: the start of 'k', 1, is not less than 0
   4 | learn: {k: {start: 1, negative: true}}
     |                    ^
A learned constant stays strictly between its bounds.

=+ negative between positive bounds
learn: {k: {start: 1, negative: true, bounds: [0, 3]}}
--
spec.yaml:4:47: between its bounds 'k' is never negative
   4 | learn: {k: {start: 1, negative: true, bounds: [0, 3]}}
     |                                               ^
Leave 'negative' out.

=+ positive in words
learn: {k: {start: 1, positive: yes}}
--
spec.yaml:4:33: 'positive' is true or false, not 'yes'
   4 | learn: {k: {start: 1, positive: yes}}
     |                                 ^^^

=+ a learned constant without a start
learn: {k: {truth: 1}}
--
spec.yaml:4:9: 'k' lacks the key 'start'
   4 | learn: {k: {truth: 1}}
     |         ^
As in k: {start: 1}.

=+ a number for a learned constant
learn: {k: 1}
--
spec.yaml:4:12: 'k' is a mapping (key: value), not 1
   4 | learn: {k: 1}
     |            ^
As in k: {start: 1}.

=+ an expression for a start
learn: {k: {start: pi}}
--
spec.yaml:4:20: 'start' is a number, not 'pi'
   4 | learn: {k: {start: pi}}
     |                    ^^

=+ a misspelt truth
learn: {k: {start: 1, thruth: 1}}
--
spec.yaml:4:23: unknown key 'thruth' in 'k'
   4 | learn: {k: {start: 1, thruth: 1}}
     |                       ^^^^^^
Did you mean 'truth'?

=+ a learned constant named like a constant
constants: {k: 2}
learn: {k: {start: 1}}
--
spec.yaml:5:9: 'k' is already a constant
   5 | learn: {k: {start: 1}}
     |         ^
Choose another name.

=+ a learned constant named like the unknown
learn: {u: {start: 1}}
--
spec.yaml:4:9: 'u' is already an unknown
   4 | learn: {u: {start: 1}}
     |         ^
Choose another name.

=+ a list of learned constants
learn: [k]
--
spec.yaml:4:8: 'learn' is a mapping (key: value), not a list
   4 | learn: [k]
     |        ^
As in learn: {k: {start: 1, bounds: [0, 5]}}.

=+ a learned constant in a constant
learn: {k: {start: 1, truth: 2}}
constants: {c: 2*k}
--
spec.yaml:5:18: 'k' is learned and has no value before training in constant 'c'
   5 | constants: {c: 2*k}
     |                  ^
Write a number.

== a learned constant in the bounds of a coordinate
coordinates: {x: [0, k]}
unknowns: [u]
learn: {k: {start: 1}}
equations: {a: u_x = k*u}
conditions: {start: {where: x = 0, equation: u = 1}}
--
spec.yaml:1:22: 'k' is learned and has no value before training in the bounds of 'x'
   1 | coordinates: {x: [0, k]}
     |                      ^
Write a number.

== a learned constant in the reference
coordinates: {x: [0, 1]}
unknowns: [u]
learn: {k: {start: 1}}
equations: {a: u_x = k*u}
conditions: {start: {where: x = 0, equation: u = 1}}
reference: {exact: {u: exp(k*x)}}
--
spec.yaml:6:28: the reference of 'u' contains 'k', which is learned
   6 | reference: {exact: {u: exp(k*x)}}
     |                            ^
Give its 'truth'.

== a learned constant in a target
coordinates: {x: [0, 1]}
unknowns: [u]
learn: {k: {start: 1}}
equations: {a: u_x = k*u}
conditions: {start: {where: x = 0, equation: u = 1}}
data: {target: {u: exp(k*x)}, points: 9}
--
spec.yaml:6:24: the target of 'u' contains 'k', which is learned
   6 | data: {target: {u: exp(k*x)}, points: 9}
     |                        ^
Give its 'truth'.

== a learned constant for a place
coordinates: {x: [0, 1]}
unknowns: [u]
learn: {k: {start: 0.5, truth: 0.6}}
equations: {a: u_x = k*u}
conditions: {start: {where: x = 0, equation: u = 1}, middle: {at: {x: k}, equation: u = 1}}
--
spec.yaml:5:71: 'k' is learned and has no value before training in condition 'middle'
   5 | conditions: {start: {where: x = 0, equation: u = 1}, middle: {at: {x: k}, equation: u = 1}}
     |                                                                       ^
Write a number.

== a learned constant for a face
coordinates: {x: [0, 1]}
unknowns: [u]
learn: {k: {start: 0.5}}
equations: {a: u_x = k*u}
conditions: {start: {where: x = k, equation: u = 1}}
--
spec.yaml:5:33: 'k' is learned and has no value before training in condition 'start'
   5 | conditions: {start: {where: x = k, equation: u = 1}}
     |                                 ^
Write a number.

=+ a learned constant that picks faces
learn: {k: {start: 0.5}}
conditions: {start: {where: t = 0, only: x > k, equation: u = k}}
--
spec.yaml:5:46: 'k' is learned and has no value before training in condition 'start'
   5 | conditions: {start: {where: t = 0, only: x > k, equation: u = k}}
     |                                              ^
Write a number.
"""

CONDITIONS_OF_ALL_KINDS = r"""
=+ two places
conditions: {start: {where: t = 0, at: {x: 0}, equation: u = 0}}
--
spec.yaml:4:14: condition 'start' has 'where' and 'at'
   4 | conditions: {start: {where: t = 0, at: {x: 0}, equation: u = 0}}
     |              ^^^^^
One of these says where it holds: where, at, periodic, integral, data.

=+ a face and a file
conditions: {start: {where: t = 0, data: a.csv, equation: u = 0}}
--
spec.yaml:4:14: condition 'start' has 'where' and 'data'
   4 | conditions: {start: {where: t = 0, data: a.csv, equation: u = 0}}
     |              ^^^^^
One of these says where it holds: where, at, periodic, integral, data.

=+ a place within an integral that is none
conditions: {start: {at: {x: 0}, over: x, equation: u = 0}}
--
spec.yaml:4:34: a condition with 'at' takes no 'over'
   4 | conditions: {start: {at: {x: 0}, over: x, equation: u = 0}}
     |                                  ^^^^
Keys: at, equation, points, weight.

=+ keys of another kind
conditions: {start: {where: t = 0, equals: 1, fields: u, equation: u = 0}}
--
spec.yaml:4:36: a condition with 'where' takes no 'equals'
   4 | conditions: {start: {where: t = 0, equals: 1, fields: u, equation: u = 0}}
     |                                    ^^^^^^
Keys: where, only, equation, points, weight.

spec.yaml:4:47: a condition with 'where' takes no 'fields'
   4 | conditions: {start: {where: t = 0, equals: 1, fields: u, equation: u = 0}}
     |                                               ^^^^^^
Keys: where, only, equation, points, weight.

=+ neither a place nor anything else
conditions: {start: {}}
--
spec.yaml:4:14: condition 'start' has no place
   4 | conditions: {start: {}}
     |              ^^^^^
One of these says where it holds: where, at, periodic, integral, data.

=+ a word for a condition
conditions: {start: u = 0}
--
spec.yaml:4:21: 'start' is a mapping (key: value), not 'u = 0'
   4 | conditions: {start: u = 0}
     |                     ^^^^^
As in start: {where: t = 0, equation: u = 0}.

=+ a key that holds nothing
conditions: {start: {where: t = 0, only: , equation: u = 0}}
--
spec.yaml:4:41: 'only' is empty
   4 | conditions: {start: {where: t = 0, only: , equation: u = 0}}
     |                                         ^
Write a value, or leave the key out.

=+ a place that holds nothing
conditions: {start: {periodic: }}
--
spec.yaml:4:31: 'periodic' is empty
   4 | conditions: {start: {periodic: }}
     |                               ^
Write a value, or leave the key out.

=+ a normal at the start
conditions: {start: {where: t = 0, equation: u_n = 0}}
--
spec.yaml:4:46: 'u_n' is the derivative along the normal of a face, and here is none in condition 'start'
   4 | conditions: {start: {where: t = 0, equation: u_n = 0}}
     |                                              ^^^
A condition on faces of a coordinate of space has one; elsewhere write the derivatives out.

=+ a normal inside
conditions: {start: {at: {x: 0.5}, equation: u_n = 0}}
--
spec.yaml:4:46: 'u_n' is the derivative along the normal of a face, and here is none in condition 'start'
   4 | conditions: {start: {at: {x: 0.5}, equation: u_n = 0}}
     |                                              ^^^
A condition on faces of a coordinate of space has one; elsewhere write the derivatives out.

== a normal in an equation
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {a: u_x = u_n}
conditions: {start: {where: x = 0, equation: u = 1}}
--
spec.yaml:3:22: 'u_n' is the derivative along the normal of a face, and here is none in equation 'a'
   3 | equations: {a: u_x = u_n}
     |                      ^^^
A condition on faces of a coordinate of space has one; elsewhere write the derivatives out.

=+ a normal on faces of space and time
conditions: {start: {where: [t = 0, x = 0], equation: u_n = 0}}
--
spec.yaml:4:55: 'u_n' is the derivative along the normal of a face, and here is none in condition 'start'
   4 | conditions: {start: {where: [t = 0, x = 0], equation: u_n = 0}}
     |                                                       ^^^
A condition on faces of a coordinate of space has one; elsewhere write the derivatives out.

=+ a normal derivative of no unknown
conditions: {start: {where: x = 0, equation: v_n = 0}}
--
spec.yaml:4:46: 'v_n' is a derivative of 'v', which is not an unknown in condition 'start'
   4 | conditions: {start: {where: x = 0, equation: v_n = 0}}
     |                                              ^^^
Unknowns: u.

=+ a face that lies inside
conditions: {start: {where: x = 0.5, equation: u = 0}}
--
spec.yaml:4:29: 'x = 0.5' is not a face of the domain
   4 | conditions: {start: {where: x = 0.5, equation: u = 0}}
     |                             ^^^^^^^
Inside the domain, write at: {x: 0.5} for where. Faces: x = 0, x = 1, t = 0, t = 1; or boundary.

=+ a part that is nowhere
conditions: {start: {where: t = 0, only: x > 2, equation: u = 0}}
--
spec.yaml:4:42: condition 'start' selects no points: 'x > 2' holds nowhere on its faces
   4 | conditions: {start: {where: t = 0, only: x > 2, equation: u = 0}}
     |                                          ^^^^^
Of 10,000 points that were drawn there, it holds at fewer than 5.

=+ a part that is tiny
conditions: {start: {where: t = 0, only: x > 0.9999999, equation: u = 0}}
--
spec.yaml:4:42: condition 'start' selects no points: 'x > 0.9999999' holds nowhere on its faces
   4 | conditions: {start: {where: t = 0, only: x > 0.9999999, equation: u = 0}}
     |                                          ^^^^^^^^^^^^^
Of 10,000 points that were drawn there, it holds at fewer than 5.

=+ an equation for a part
conditions: {start: {where: t = 0, only: x = 0.5, equation: u = 0}}
--
spec.yaml:4:42: 'x = 0.5' is an equation in condition 'start'
   4 | conditions: {start: {where: t = 0, only: x = 0.5, equation: u = 0}}
     |                                          ^^^^^^^
Write a comparison with <, <=, > or >=.

=+ a number for a part
conditions: {start: {where: t = 0, only: x + 1, equation: u = 0}}
--
spec.yaml:4:42: this condition is not a comparison in condition 'start'
   4 | conditions: {start: {where: t = 0, only: x + 1, equation: u = 0}}
     |                                          ^^^^^
Write a condition as x < 0, joined by 'and' or 'or'.

=+ the unknown picks a part
conditions: {start: {where: t = 0, only: u > 0, equation: u = 0}}
--
spec.yaml:4:42: unknown name 'u' in condition 'start'
   4 | conditions: {start: {where: t = 0, only: u > 0, equation: u = 0}}
     |                                          ^
Known here: x, t, pi, e.

=+ a list of parts
conditions: {start: {where: t = 0, only: [x > 0.5], equation: u = 0}}
--
spec.yaml:4:42: 'only' is a comparison, not a list
   4 | conditions: {start: {where: t = 0, only: [x > 0.5], equation: u = 0}}
     |                                          ^
As in only: x > 0.5.

=+ a point outside
conditions: {start: {at: {x: 2}, equation: u = 0}}
--
spec.yaml:4:30: condition 'start' selects no points: x = 2 lies outside [0, 1]
   4 | conditions: {start: {at: {x: 2}, equation: u = 0}}
     |                              ^

=+ a point along no coordinate
conditions: {start: {at: {y: 0}, equation: u = 0}}
--
spec.yaml:4:27: 'y' is not a coordinate
   4 | conditions: {start: {at: {y: 0}, equation: u = 0}}
     |                           ^
Coordinates: x, t.

=+ a point that moves
conditions: {start: {at: {x: t}, equation: u = 0}}
--
spec.yaml:4:30: unknown name 't' in condition 'start'
   4 | conditions: {start: {at: {x: t}, equation: u = 0}}
     |                              ^
Known here: pi, e.

=+ no point
conditions: {start: {at: {}, equation: u = 0}}
--
spec.yaml:4:26: 'at' needs 1 or more, and has 0
   4 | conditions: {start: {at: {}, equation: u = 0}}
     |                          ^
As in at: {x: 0.5}.

=+ a word for a point
conditions: {start: {at: x = 0, equation: u = 0}}
--
spec.yaml:4:26: 'at' is a mapping (key: value), not 'x = 0'
   4 | conditions: {start: {at: x = 0, equation: u = 0}}
     |                          ^^^^^
As in at: {x: 0.5}.

=+ a list for a point
conditions: {start: {at: {x: [0, 1]}, equation: u = 0}}
--
spec.yaml:4:30: 'x' is an expression, not a list
   4 | conditions: {start: {at: {x: [0, 1]}, equation: u = 0}}
     |                              ^

=+ a point without an equation
conditions: {start: {at: {x: 0.5}}}
--
spec.yaml:4:14: 'start' lacks the key 'equation'
   4 | conditions: {start: {at: {x: 0.5}}}
     |              ^^^^^
As in equation: u = 0.

=+ periodic in no coordinate
conditions: {wrap: {periodic: X}}
--
spec.yaml:4:31: 'X' is not a coordinate
   4 | conditions: {wrap: {periodic: X}}
     |                               ^
Did you mean 'x'?

=+ periodic in a list
conditions: {wrap: {periodic: [x]}}
--
spec.yaml:4:31: 'periodic' is the name of a coordinate, not a list
   4 | conditions: {wrap: {periodic: [x]}}
     |                               ^
As in periodic: x.

=+ a periodic equation
conditions: {wrap: {periodic: x, equation: u = 0}}
--
spec.yaml:4:44: 'u = 0' is an equation
   4 | conditions: {wrap: {periodic: x, equation: u = 0}}
     |                                            ^^^^^
It stands for equal values at both faces of 'x': write u, not u = 0.

=+ a periodic derivative along no coordinate
conditions: {wrap: {periodic: x, equation: [u, u_y]}}
--
spec.yaml:4:48: unknown derivative 'u_y' in condition 'wrap'
   4 | conditions: {wrap: {periodic: x, equation: [u, u_y]}}
     |                                                ^^^
'y' is not a coordinate of this problem (coordinates: x, t). Did you mean 'u_x'?

=+ an integral over no coordinate
conditions: {mass: {integral: u, over: y}}
--
spec.yaml:4:40: 'y' is not a coordinate
   4 | conditions: {mass: {integral: u, over: y}}
     |                                        ^
Coordinates: x, t.

=+ an integral over nothing
conditions: {mass: {integral: u, over: []}}
--
spec.yaml:4:40: 'over' needs 1 or more, and has 0
   4 | conditions: {mass: {integral: u, over: []}}
     |                                        ^
As in over: x, or over: [x, y].

=+ an integral over a number
conditions: {mass: {integral: u, over: 3}}
--
spec.yaml:4:40: 'over' is the name of a coordinate, not 3
   4 | conditions: {mass: {integral: u, over: 3}}
     |                                        ^
As in over: x, or over: [x, y].

=+ an integral of no unknown
conditions: {mass: {integral: x**2}}
--
spec.yaml:4:31: condition 'mass' contains no unknown
   4 | conditions: {mass: {integral: x**2}}
     |                               ^^^^
Unknowns: u.

=+ an equation for an integral
conditions: {mass: {integral: u = 1}}
--
spec.yaml:4:31: 'u = 1' is an equation
   4 | conditions: {mass: {integral: u = 1}}
     |                               ^^^^^
Write what is integrated, and the value below 'equals'.

=+ an integral that equals the unknown
conditions: {mass: {integral: u, equals: u}}
--
spec.yaml:4:42: the value of the integral 'mass' contains an unknown
   4 | conditions: {mass: {integral: u, equals: u}}
     |                                          ^
Write all of it below 'integral'.

=+ an integral that equals an integrated coordinate
conditions: {mass: {integral: u, equals: x*t}}
--
spec.yaml:4:42: the value of the integral 'mass' contains 'x', which is integrated over
   4 | conditions: {mass: {integral: u, equals: x*t}}
     |                                          ^^^
It may contain the other coordinates.

=+ an integral at an integrated coordinate
conditions: {mass: {integral: u, at: {x: 0.5}}}
--
spec.yaml:4:39: 'x' is integrated over and has a value
   4 | conditions: {mass: {integral: u, at: {x: 0.5}}}
     |                                       ^
Take 'x' out of 'at', or let 'over' name other coordinates.

=+ an integral at a time outside
conditions: {mass: {integral: u, at: {t: 2}}}
--
spec.yaml:4:42: condition 'mass' selects no points: t = 2 lies outside [0, 1]
   4 | conditions: {mass: {integral: u, at: {t: 2}}}
     |                                          ^

=+ an integral with an equation
conditions: {mass: {integral: u, equation: u = 0}}
--
spec.yaml:4:34: a condition with 'integral' takes no 'equation'
   4 | conditions: {mass: {integral: u, equation: u = 0}}
     |                                  ^^^^^^^^
Keys: integral, over, equals, at, points, weight.

=+ an integral with very many points
conditions: {mass: {integral: u, points: 1000000}}
--
spec.yaml:4:31: the integral 'mass' needs 32,000,000 points, 32 along each coordinate
   4 | conditions: {mass: {integral: u, points: 1000000}}
     |                               ^
The limit is 5,000,000: integrate over fewer coordinates, or take fewer 'points'.

== an integral over no space
coordinates: {t: [0, 1]}
unknowns: [u]
equations: {a: u_t = u}
conditions: {mass: {integral: u}}
--
spec.yaml:4:14: condition 'mass' integrates over space, and there is none
   4 | conditions: {mass: {integral: u}}
     |              ^^^^
Name a coordinate: over: t.

== an integral over many coordinates
coordinates: {a: [0, 1], b: [0, 1], c: [0, 1], d: [0, 1], f: [0, 1]}
unknowns: [u]
equations: {p: laplacian(u) = 0}
conditions: {edge: {where: boundary, equation: u = 1}, mass: {integral: u}}
--
spec.yaml:4:73: the integral 'mass' needs 33,554,432 points, 32 along each coordinate
   4 | conditions: {edge: {where: boundary, equation: u = 1}, mass: {integral: u}}
     |                                                                         ^
The limit is 5,000,000: integrate over fewer coordinates, or take fewer 'points'.
"""

OBSERVED = r"""
=+ a file that is missing
conditions: {m: {data: none.csv}}
--
spec.yaml:4:24: there is no file none.csv. Did you mean 'nou.csv'?
   4 | conditions: {m: {data: none.csv}}
     |                        ^^^^^^^^

=+ a column that is missing
conditions: {m: {data: a.csv, equation: u_x = temp}}
--
spec.yaml:4:41: a.csv has no 'temp'. It has: x, t, u, w, word, neg, zero, flux. The key 'names' maps a name to that in the file.
   4 | conditions: {m: {data: a.csv, equation: u_x = temp}}
     |                                         ^^^^^^^^^^

=+ a column that holds words
conditions: {m: {data: a.csv, equation: u_x = word}}
--
spec.yaml:4:24: line 2 of a.csv, column 5 ('word'): found 'a', expected a number
   4 | conditions: {m: {data: a.csv, equation: u_x = word}}
     |                        ^^^^^

=+ a column without an unknown
conditions: {m: {data: a.csv, equation: flux = 0}}
--
spec.yaml:4:41: condition 'm' contains no unknown
   4 | conditions: {m: {data: a.csv, equation: flux = 0}}
     |                                         ^^^^^^^^
Unknowns: u.

=+ a file without the unknown
conditions: {m: {data: nou.csv}}
--
spec.yaml:4:24: nou.csv has no 'u'. It has: x, t. The key 'names' maps a name to that in the file.
   4 | conditions: {m: {data: nou.csv}}
     |                        ^^^^^^^

=+ a value that is not finite
conditions: {m: {data: nan.csv}}
--
spec.yaml:4:24: line 2 of nan.csv, column 3 ('u'): found nan, expected a finite number
   4 | conditions: {m: {data: nan.csv}}
     |                        ^^^^^^^

=+ points outside the domain
conditions: {m: {data: out.csv}}
--
spec.yaml:4:24: 1 of 2 points of out.csv lie outside the domain in 'x', the first at line 3: x = 5
   4 | conditions: {m: {data: out.csv}}
     |                        ^^^^^^^
In the file x is from 0 to 5, in the domain from 0 to 1.

=+ fields of no unknown
conditions: {m: {data: a.csv, fields: [u, flux]}}
--
spec.yaml:4:43: 'flux' is not an unknown
   4 | conditions: {m: {data: a.csv, fields: [u, flux]}}
     |                                           ^^^^
Unknowns: u.

=+ no fields
conditions: {m: {data: a.csv, fields: []}}
--
spec.yaml:4:39: 'fields' needs 1 or more, and has 0
   4 | conditions: {m: {data: a.csv, fields: []}}
     |                                       ^
As in fields: [u].

=+ weights below zero
conditions: {m: {data: a.csv, weights: neg}}
--
spec.yaml:4:40: the weight -1 in line 3 is below zero
   4 | conditions: {m: {data: a.csv, weights: neg}}
     |                                        ^^^
Weights are 0 or more.

=+ weights that are all zero
conditions: {m: {data: a.csv, weights: zero}}
--
spec.yaml:4:40: every weight is zero, and the rows would count for nothing
   4 | conditions: {m: {data: a.csv, weights: zero}}
     |                                        ^^^^
Give some rows a weight, or leave the data out.

=+ a misspelt column of weights
conditions: {m: {data: a.csv, weights: ww}}
--
spec.yaml:4:40: a.csv has no 'ww'. Did you mean 'w'? The key 'names' maps a name to that in the file.
   4 | conditions: {m: {data: a.csv, weights: ww}}
     |                                        ^^

=+ a number for the weights
conditions: {m: {data: a.csv, weights: 3}}
--
spec.yaml:4:40: 'weights' is the name of a column, not 3
   4 | conditions: {m: {data: a.csv, weights: 3}}
     |                                        ^
As in weights: w.

=+ weights with an underscore
conditions: {m: {data: a.csv, weights: my_w}}
--
spec.yaml:4:40: 'my_w' is not a name
   4 | conditions: {m: {data: a.csv, weights: my_w}}
     |                                        ^^^^
A name begins with a letter (A to Z, a to z); letters and digits follow, no '_'; 'names' maps one to that in the file.

=+ a name that is not read
conditions: {m: {data: a.csv, names: {q: w}}}
--
spec.yaml:4:39: 'q' is not read from the file
   4 | conditions: {m: {data: a.csv, names: {q: w}}}
     |                                       ^
What is read: x, t, u.

=+ a file with a number of points
conditions: {m: {data: a.csv, points: 3}}
--
spec.yaml:4:31: a condition with 'data' takes no 'points'
   4 | conditions: {m: {data: a.csv, points: 3}}
     |                               ^^^^^^
Keys: data, names, columns, fields, weights, equation, weight.

=+ a number for a file
conditions: {m: {data: 3}}
--
spec.yaml:4:24: 'data' is text, not 3
   4 | conditions: {m: {data: 3}}
     |                        ^
As in data: measured.csv.

=+ noise on a file
data: {file: a.csv, noise: 0.1}
--
spec.yaml:4:21: data with a file takes no 'noise'
   4 | data: {file: a.csv, noise: 0.1}
     |                     ^^^^^
Keys: file, names, columns, fields, weights, weight.

=+ fields of a file that are no unknowns
data: {file: a.csv, fields: flux}
--
spec.yaml:4:29: 'flux' is not an unknown
   4 | data: {file: a.csv, fields: flux}
     |                             ^^^^
Unknowns: u.

=+ weights of a file below zero
data: {file: a.csv, weights: neg}
--
spec.yaml:4:30: the weight -1 in line 3 is below zero
   4 | data: {file: a.csv, weights: neg}
     |                              ^^^
Weights are 0 or more.

=+ weights of a file that are all zero
data: {file: a.csv, weights: zero}
--
spec.yaml:4:30: every weight is zero, and the rows would count for nothing
   4 | data: {file: a.csv, weights: zero}
     |                              ^^^^
Give some rows a weight, or leave the data out.

=+ weights of a file that are missing
data: {file: a.csv, weights: missing}
--
spec.yaml:4:30: a.csv has no 'missing'. It has: x, t, u, w, word, neg, zero, flux. The key 'names' maps a name to that in the file.
   4 | data: {file: a.csv, weights: missing}
     |                              ^^^^^^^

=+ the reference observed, and none asked for
data: {reference: true, points: 10}
reference: none
--
spec.yaml:4:19: the data are those of the reference, and there is none
   4 | data: {reference: true, points: 10}
     |                   ^^^^
Choose another reference than none, or write a target.

=+ the name of a reference observed
data: {reference: hopf-cole, points: 10}
--
spec.yaml:4:19: 'reference' is true or false, not 'hopf-cole'
   4 | data: {reference: hopf-cole, points: 10}
     |                   ^^^^^^^^^

=+ the reference and a target
data: {reference: true, target: {u: x}, points: 10}
--
spec.yaml:4:1: 'data' has one of target, reference and file
   4 | data: {reference: true, target: {u: x}, points: 10}
     | ^^^^
As in data: {target: {u: sin(x)}, points: 300}.

=+ fields of a target
data: {target: {u: x}, points: 10, fields: [u]}
--
spec.yaml:4:36: data with a target takes no 'fields'
   4 | data: {target: {u: x}, points: 10, fields: [u]}
     |                                    ^^^^^^
Keys: target, points, sampler, noise, weight.

=+ a target that is not finite
data: {target: {u: log(x - 1)}, points: 10}
--
spec.yaml:4:20: the target of 'u' is not finite at x = 0.906, t = 0.668
   4 | data: {target: {u: log(x - 1)}, points: 10}
     |                    ^^^^^^^^^^

=+ negative noise
data: {target: {u: x}, points: 10, noise: -1}
--
spec.yaml:4:43: 'noise' must be at least 0, not -1
   4 | data: {target: {u: x}, points: 10, noise: -1}
     |                                           ^^

=+ nothing for a target
data: {target: , points: 10}
--
spec.yaml:4:15: 'target' is empty
   4 | data: {target: , points: 10}
     |               ^
Write a value, or leave the key out.
"""

POINTS = r"""
=+ shares that leave nothing
points: {importance: [{where: x > 0.5, share: 0.6}, {where: x < 0.1, share: 0.4}]}
--
spec.yaml:4:10: the shares of 'importance' add up to 1 and leave no points for the rest
   4 | points: {importance: [{where: x > 0.5, share: 0.6}, {where: x < 0.1, share: 0.4}]}
     |          ^^^^^^^^^^
Let them add up to less than 1.

=+ a whole share
points: {importance: [{where: x > 0.5, share: 1}]}
--
spec.yaml:4:47: 'share' must be less than 1, not 1
   4 | points: {importance: [{where: x > 0.5, share: 1}]}
     |                                               ^

=+ importance of nothing
points: {importance: [{where: x > 2, share: 0.5}]}
--
spec.yaml:4:31: 'x > 2' selects no points of the domain
   4 | points: {importance: [{where: x > 2, share: 0.5}]}
     |                               ^^^^^
Of 10,000 points that were drawn there, it holds at fewer than 5.

=+ importance of an equation
points: {importance: [{where: x = 0.5, share: 0.5}]}
--
spec.yaml:4:31: 'x = 0.5' is an equation in 'importance'
   4 | points: {importance: [{where: x = 0.5, share: 0.5}]}
     |                               ^^^^^^^
Write a comparison with <, <=, > or >=.

=+ importance of the unknown
points: {importance: [{where: u > 0, share: 0.5}]}
--
spec.yaml:4:31: unknown name 'u' in 'importance'
   4 | points: {importance: [{where: u > 0, share: 0.5}]}
     |                               ^
Known here: x, t, pi, e.

=+ importance without a share
points: {importance: [{where: x > 0.5}]}
--
spec.yaml:4:23: 'importance.0' lacks the key 'share'
   4 | points: {importance: [{where: x > 0.5}]}
     |                       ^
As in importance: [{where: x > 0.9, share: 0.2}].

=+ importance as a word
points: {importance: x > 0.5}
--
spec.yaml:4:22: 'importance' is a list, not 'x > 0.5'
   4 | points: {importance: x > 0.5}
     |                      ^^^^^^^
As in importance: [{where: x > 0.9, share: 0.2}].

=+ importance as a list of words
points: {importance: [x > 0.5]}
--
spec.yaml:4:23: 'importance.0' is a mapping (key: value), not 'x > 0.5'
   4 | points: {importance: [x > 0.5]}
     |                       ^^^^^^^
As in importance: [{where: x > 0.9, share: 0.2}].

=+ importance of a list
points: {importance: [{where: [x > 0.5], share: 0.5}]}
--
spec.yaml:4:31: 'where' is a comparison, not a list
   4 | points: {importance: [{where: [x > 0.5], share: 0.5}]}
     |                               ^

=+ a number for the renewal
points: {resample: 100}
--
spec.yaml:4:20: 'resample' is a mapping (key: value), not 100
   4 | points: {resample: 100}
     |                    ^^^
As in resample: {every: 1000}.

=+ a renewal without its period
points: {resample: {}}
--
spec.yaml:4:10: 'resample' lacks the key 'every'
   4 | points: {resample: {}}
     |          ^^^^^^^^
As in resample: {every: 1000}.

=+ too many candidates
points: {resample: {every: 10, candidates: 1000}}
--
spec.yaml:4:44: 'candidates' must be at most 100, not 1000
   4 | points: {resample: {every: 10, candidates: 1000}}
     |                                            ^^^^

=+ no points for the validation
points: {validation: 0}
--
spec.yaml:4:22: 'validation' must be at least 1, not 0
   4 | points: {validation: 0}
     |                      ^

=+ a number for the balance
weights: {balance: 3}
--
spec.yaml:4:20: 'balance' is a mapping (key: value), not 3
   4 | weights: {balance: 3}
     |                    ^
As in balance: grad-norm, or balance: {method: grad-norm, every: 100}.

=+ a balance without a method
weights: {balance: {every: 10}}
--
spec.yaml:4:11: 'balance' lacks the key 'method'
   4 | weights: {balance: {every: 10}}
     |           ^^^^^^^
As in balance: grad-norm, or balance: {method: grad-norm, every: 100}.

=+ a misspelt balance
weights: {balance: gradnrom}
--
spec.yaml:4:20: 'gradnrom' is not a choice for 'balance'
   4 | weights: {balance: gradnrom}
     |                    ^^^^^^^^
Did you mean 'grad-norm'?

=+ a misspelt method of the balance
weights: {balance: {method: grad_norm}}
--
spec.yaml:4:29: 'grad_norm' is not a choice for 'method'
   4 | weights: {balance: {method: grad_norm}}
     |                             ^^^^^^^^^
Did you mean 'grad-norm'?

=+ a misspelt way of renewal
points: {resample: {every: 9, method: rarr}}
--
spec.yaml:4:39: 'rarr' is not a choice for 'method'
   4 | points: {resample: {every: 9, method: rarr}}
     |                                       ^^^^
Did you mean 'rar-d'?

=+ a misspelt key of the balance
weights: {balance: {metod: fixed}}
--
spec.yaml:4:21: unknown key 'metod' in 'balance'
   4 | weights: {balance: {metod: fixed}}
     |                     ^^^^^
Did you mean 'method'?

=+ a balance that never changes
weights: {balance: {method: fixed, momentum: 1}}
--
spec.yaml:4:46: 'momentum' must be less than 1, not 1
   4 | weights: {balance: {method: fixed, momentum: 1}}
     |                                              ^
"""

FUNCTIONS = r"""
=+ a Python file that is missing
functions: none.py
--
spec.yaml:4:12: there is no file none.py
   4 | functions: none.py
     |            ^^^^^^^
The path is relative to the spec.

=+ a folder of Python
functions: .
--
spec.yaml:4:12: . is a directory; a Python file is text
   4 | functions: .
     |            ^
The path is relative to the spec.

=+ a Python file that raises
functions: raises.py
--
spec.yaml:4:12: raises.py cannot be run: ValueError: no luck
   4 | functions: raises.py
     |            ^^^^^^^^^

=+ a Python file that ends the program
functions: exits.py
--
spec.yaml:4:12: exits.py cannot be run: SystemExit: 3
   4 | functions: exits.py
     |            ^^^^^^^^

=+ a Python file that cannot be read
functions: syntax.py
--
spec.yaml:4:12: syntax.py cannot be run: SyntaxError: invalid syntax (syntax.py, line 1)
   4 | functions: syntax.py
     |            ^^^^^^^^^

=+ a number for a Python file
functions: 3
--
spec.yaml:4:12: 'functions' is text, not 3
   4 | functions: 3
     |            ^

=+ a function named like another
functions: clash.py
--
spec.yaml:4:12: the function 'sin' of the file is already a function
   4 | functions: clash.py
     |            ^^^^^^^^
Give it another name.

spec.yaml:4:12: the function 'u' of the file is already an unknown
   4 | functions: clash.py
     |            ^^^^^^^^
Give it another name.

== a Python function with too few arguments
coordinates: {x: [0, 1]}
unknowns: [u]
functions: laws.py
equations: {a: u_x = product(u)}
conditions: {start: {where: x = 0, equation: u = 1}}
--
spec.yaml:4:22: product takes 2 arguments and has 1 in equation 'a'
   4 | equations: {a: u_x = product(u)}
     |                      ^^^^^^^^^^
So it is written in the file of 'functions'.

== a misspelt Python function
coordinates: {x: [0, 1]}
unknowns: [u]
functions: laws.py
equations: {a: u_x = squared(u)}
conditions: {start: {where: x = 0, equation: u = 1}}
--
spec.yaml:4:22: unknown function 'squared' in equation 'a'
   4 | equations: {a: u_x = squared(u)}
     |                      ^^^^^^^
Did you mean 'square'?

== a Python function that is differentiated
coordinates: {x: [0, 1]}
unknowns: [u]
functions: laws.py
equations: {a: "u = D(square(u), x)"}
conditions: {start: {where: x = 0, equation: u = 1}}
--
spec.yaml:4:23: 'square' is a Python function, and its derivative is not known in equation 'a'
   4 | equations: {a: "u = D(square(u), x)"}
     |                       ^^^^^^^^^
Let the function take the derivatives that it needs as arguments.

== a Python function in a reference
coordinates: {x: [0, 1]}
unknowns: [u]
functions: laws.py
equations: {a: u_x = square(u)}
conditions: {start: {where: x = 0, equation: u = 1}}
reference: {exact: {u: square(x)}}
--
spec.yaml:6:24: the reference of 'u' calls 'square', a Python function
   6 | reference: {exact: {u: square(x)}}
     |                        ^^^^^^^^^
Only equations call those.
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
    ("yaml", "assignments", "expected"),
    cases(DETERMINED, FORM, LEARNED, CONDITIONS_OF_ALL_KINDS, OBSERVED, POINTS, FUNCTIONS),
)
def test_complete_message(yaml: str, assignments: list[str], expected: str) -> None:
    assert message(yaml, assignments, allow_python=True) == expected


def test_python_needs_permission() -> None:
    assert message(START + "functions: laws.py\n" + CONDITIONS) == (
        "spec.yaml:4:12: the spec names laws.py, a Python file that can do anything on this machine\n"
        "   4 | functions: laws.py\n     |            ^^^^^^^\nWith `allow_python` it is run. Read it first."
    )


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("    raise KeyError('a')\n", "failed: KeyError: 'a'\nIt is called with tensors of torch, of one value for each point."),
        ("    return a.numpy()\n", "failed: RuntimeError: Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.\nIt is called with tensors of torch, of one value for each point."),
        ("    return 'x'\n", "returns str\nIt must return a tensor of torch, or a number."),
        ("    return None\n", "returns NoneType\nIt must return a tensor of torch, or a number."),
    ],
)  # fmt: skip
def test_functions_that_fail_when_they_are_called(body: str, why: str) -> None:
    Path("laws.py").write_text(f"def f(a):\n{body}")
    yaml = START.replace("u_xx", "u_xx + f(u)") + "functions: laws.py\n" + CONDITIONS
    plan = make_plan(Text("spec.yaml", yaml), allow_python=True)
    with pytest.raises(SpecError) as caught:
        inspect(plan)
    assert str(caught.value) == f"'f' of laws.py {why}"


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

# Each: what is changed in SYSTEM, and the warnings that it then gets.
WARNINGS = {
    "nothing": ([], ()),
    "one unknown lacks its start": (
        ["conditions.start.equation=u = 0"],
        ("No condition stands at the start, t = 0 for 'v'.",),
    ),
    "one unknown lacks a wall": (
        ["conditions.walls={where: x = 0, equation: [u = 0, v = 0]}", "conditions.other={where: x = 1, equation: u = 0}"],
        ("Only 1 of 2 conditions stands on the faces of x for 'v'.",),
    ),
    "data may stand for what is missing": (
        ["conditions.start.equation=u = 0", "data={target: {u: x, v: x}, points: 9}"],
        (),
    ),
    "a point inside may stand for what is missing": (
        ["conditions.start={at: {t: 0.5}, equation: u = 0}"],
        (),
    ),
    "a consistent start of an unknown that is not derived along time": (
        ["equations={a: u_t = v, b: v = u**2}", "conditions={start: {where: t = 0, equation: [u = x, v = x**2]}}"],
        (),
    ),
    "a learned constant takes more conditions": (
        ["learn={k: {start: 1}}", "equations.a=u_t = k*v_xx", "conditions.flux={where: x = 0, equation: u_x = 0}"],
        (),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "warnings"), WARNINGS.values(), ids=WARNINGS)
def test_warnings_of_what_may_be_missing(changes: list[str], warnings: tuple[str, ...]) -> None:
    assert plan_of(SYSTEM, *changes).problem.warnings == warnings


PLATE = """
coordinates: {x: [0, 2], y: [0, 1]}
unknowns: [u]
equations: {steady: u_xx + u_yy = 0}
conditions:
  lid: {where: y = 1, equation: u = 1}
  walls: {where: [x = 0, x = 2, y = 0], equation: u = 0}
reference: none
"""
JUMPS_SENTENCE = " The solution jumps there, which costs accuracy."
IN_BOTH_CORNERS = (
    "'lid' and 'walls' disagree where they meet: u = 1 and 0 at x = 0, y = 1; u = 1 and 0 at x = 2, y = 1."
    + JUMPS_SENTENCE,
)
ROD = ["coordinates={x: [0, 2], t: [0, 1]}", "equations.steady=u_t = u_xx"]

# Each: what is changed in PLATE, and the warnings that it then gets.
CORNERS = {
    "a hot lid": ([], IN_BOTH_CORNERS),
    "written otherwise": (["conditions.lid.equation=3*u/(1 + x) = 3/(1 + x)", "conditions.walls.equation=x*y = u + x*y"], IN_BOTH_CORNERS),
    "in one corner": (["conditions.lid.equation=u = sin(pi*x/4)"], (f"'lid' and 'walls' disagree where they meet: u = 1 and 0 at x = 2, y = 1.{JUMPS_SENTENCE}",)),
    "that vanishes up to rounding": (["conditions.lid.equation=u = sin(pi*x/2)"], ()),
    "that vanishes nearly": (["conditions.lid.equation=u = exp(-20*(x - 1)**2)"], ()),
    "at the same value": (["conditions.walls.equation=u = 1"], ()),
    "of which a part is hot": (["conditions.lid={where: y = 1, only: x > 0.5 and x < 1.5, equation: u = 1}"], ()),
    "a flux": (["conditions.lid.equation=u_y = 1"], ()),
    "a loss": (["conditions.lid.equation=u + u_y = 1"], ()),
    "no value of one sign": (["conditions.lid.equation=u**2 = 1"], ()),
    "a learned value": (["conditions.lid.equation=u = k", "learn={k: {start: 1}}", "data={target: {u: y}, points: 9}"], ()),
    "a start": ([*ROD, "conditions={start: {where: t = 0, equation: u = x}, walls: {where: boundary, equation: u = t}}"], (f"'start' and 'walls' disagree where they meet: u = 2 and 0 at x = 2, t = 0.{JUMPS_SENTENCE}",)),
    "in space alone": (["coordinates.z=[0, 1]", "equations.steady=laplacian(u) = 0", "conditions.walls.where=[x = 0, x = 2, y = 0, z = 0, z = 1]", "conditions.lid.equation=u = z*(1 - z)*(2 - x)"], (f"'lid' and 'walls' disagree where they meet: u = 0.375 and 0 at x = 0, y = 1, z = 0.25; u = 0.5 and 0 at x = 0, y = 1, z = 0.5, and elsewhere.{JUMPS_SENTENCE}",)),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "warnings"), CORNERS.values(), ids=CORNERS)
def test_values_that_disagree_where_they_meet(
    changes: list[str], warnings: tuple[str, ...]
) -> None:
    assert plan_of(PLATE, *changes).problem.warnings == warnings


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
