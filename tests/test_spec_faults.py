"""What people write into a spec by mistake, and the complete message that each of them gets."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from fault_tables import CONDITIONS, START, cases, marks_of, message, spec_error
from syrupy.assertion import SnapshotAssertion

from laaf_cli.runs.plan import make_plan
from laaf_cli.spec import Override, Text
from laaf_cli.spec.examples import EXAMPLES
from laaf_cli.spec.load import load

FORM = r"""
=+ a misspelt key
netwrok: {hidden: [20]}
-- 4:1 netwrok

=+ a key that is none
colour: red
-- 4:1 colour

=+ a key of a section
iterations: 100
-- 4:1 iterations

=+ a key of the whole spec
training: [{dtype: float64}]
-- 4:13 dtype

=+ a misspelt key of a section
network: {hiden: [20]}
-- 4:11 hiden

=+ a misspelt key of a phase
training:
  - {optimiser: adam, iterations: 10}
-- 5:6 optimiser

=+ a misspelt key of a schedule
training: [{iterations: 10, schedule: {kind: step, evry: 5}}]
-- 4:52 evry

=+ a misspelt key of the recovery
slopes: {recovery: {wieght: 2}}
-- 4:21 wieght

=+ a misspelt key that is needed
conditions: {start: {were: t = 0, equation: u = 0}}
-- 4:22 were

=+ a misspelt key of the data
data: {taget: {u: x}, points: 3}
-- 4:8 taget

=+ a misspelt key of the weights
weights: {equation: {heat: 2}}
-- 4:11 equation

=+ a misspelt key of the reference
reference: {exactly: {u: x}}
-- 4:13 exactly

=+ a misspelt key of the evaluation
evaluation: {gird: {x: 3}}
-- 4:14 gird

=+ a condition without a place
conditions: {start: {equation: u = 0}}
-- 4:14 start

=+ a condition without an equation
conditions:
  start: {where: t = 0}
-- 5:3 start

=+ a phase without iterations
training:
  - {optimizer: adam}
-- 5:5 {

=+ a schedule without a kind
training: [{iterations: 1, schedule: {factor: 0.5}}]
-- 4:28 schedule

=+ an empty reference
reference: {}
-- 4:1 reference

=+ a key twice
seed: 1
seed: 2
-- 5:1 seed

=+ a key twice in a section
network: {hidden: [20], hidden: [30]}
-- 4:25 hidden

=+ yes is not a number
training: [{iterations: yes}]
-- 4:25 yes

=+ true is not a number
training: [{iterations: true}]
-- 4:25 true

=+ 1e3 is not an integer
training: [{iterations: 1e3}]
-- 4:25 1e3

=+ a fraction of an iteration
training: [{iterations: 1.5}]
-- 4:25 1.5

=+ no iterations
training: [{iterations: 0}]
-- 4:25 0

=+ a negative learning rate
training: [{iterations: 10, learning_rate: -1}]
-- 4:44 -1

=+ a learning rate in words
training: [{iterations: 10, learning_rate: fast}]
-- 4:44 fast

=+ not-a-number
training: [{iterations: 10, learning_rate: nan}]
-- 4:44 nan

=+ true for a learning rate
training: [{iterations: 10, learning_rate: true}]
-- 4:44 true

=+ a mapping for the list of phases
training: {iterations: 10}
-- 4:11 {

=+ no phases
training: []
-- 4:11 [

=+ nothing for the phases
training:
-- 4:10

=+ a number for a phase
training: [10]
-- 4:12 10

=+ a list for a number
seed: [1, 2]
-- 4:7 [

=+ a mapping for a text
title: {a: b}
-- 4:8 {

=+ a number for a text
title: 2019
-- 4:8 2019

=+ a number for the widths
network: {hidden: 20}
-- 4:19 20

=+ a word among the widths
network: {hidden: [20, many]}
-- 4:24 many

=+ a width of zero
network: {hidden: [20, 0]}
-- 4:24 0

=+ a width with a point
network: {hidden: [20.0]}
-- 4:20 20.0

=+ a width beyond the limit
network: {hidden: [5000]}
-- 4:20 5000

=+ no widths
network: {hidden: []}
-- 4:19 [

=+ a word for a section
network: big
-- 4:10 big

=+ an empty section
network:
-- 4:9

=+ a constant of no form
constants: {a: true}
-- 4:16 true

=+ a constant without a value
constants: {a: }
-- 4:15

=+ constants as a list
constants: [a]
-- 4:12 [

=+ an underscore in a constant
constants: {my__nu: 1}
-- 4:13 my__nu

=+ a Greek constant
constants: {ν: 1}
-- 4:13 ν

=+ a place that is a mapping
conditions: {start: {where: {t: 0}, equation: u = 0}}
-- 4:29 {

=+ a place that is a number
conditions: {start: {where: 0, equation: u = 0}}
-- 4:29 0

=+ no places
conditions: {start: {where: [], equation: u = 0}}
-- 4:29 [

=+ no equations in a condition
conditions: {start: {where: t = 0, equation: []}}
-- 4:46 [

=+ a negative weight
conditions: {start: {where: t = 0, equation: u = 0, weight: -1}}
-- 4:61 -1

=+ no points
conditions: {start: {where: t = 0, equation: u = 0, points: 0}}
-- 4:61 0

=+ too many points
points: {interior: 1000000000}
-- 4:20 1000000000

=+ a number for the points
points: 100
-- 4:9 100

=+ a number for the grid
evaluation: {grid: 100}
-- 4:20 100

=+ a single grid point
evaluation: {grid: {x: 1}}
-- 4:24 1

=+ a number for the times
evaluation: {times: 0.5}
-- 4:21 0.5

=+ a word among the times
evaluation: {times: [half]}
-- 4:22 half

=+ an unknown kind of slopes
slopes: {kind: laaf}
-- 4:16 laaf

=+ a scale below 1
slopes: {n: 0.5}
-- 4:13 0.5

=+ a word for the recovery
slopes: {recovery: maybe}
-- 4:20 maybe

=+ an unknown form of the recovery
slopes: {recovery: {form: average}}
-- 4:27 average

=+ an unknown precision
dtype: double
-- 4:8 double

=+ an unknown device
device: gpu
-- 4:9 gpu

=+ no precision
dtype:
-- 4:7

=+ a negative seed
seed: -1
-- 4:7 -1

=+ a seed beyond 64 bits
seed: 99999999999999999999999
-- 4:7 99999999999999999999999

=+ a seed in base 16
seed: 0x10
-- 4:7 0x10

=+ a seed like a time
seed: 1:30
-- 4:7 1:30

=+ a list for a schedule
training: [{iterations: 3, schedule: [step]}]
-- 4:38 [

=+ a schedule's factor above 1
training: [{iterations: 3, schedule: {kind: step, factor: 1.5}}]
-- 4:59 1.5

=+ a list for the reference
reference: [exact]
-- 4:12 [

=+ a word for the exact solution
reference: {exact: x}
-- 4:20 x

=+ no target
data: {target: {}, points: 3}
-- 4:16 {

=+ an escape sequence in a word
dtype: "\e[31mred"
-- 4:8 "\e[31mred"
"""

MEANING = r"""
=+ an unknown sampler
points: {sampler: latin}
-- 4:19 latin

=+ an unknown sampler of the data
data: {target: {u: x}, points: 3, sampler: sobl}
-- 4:44 sobl

=+ a misspelt activation
network: {activation: tahn}
-- 4:23 tahn

=+ an unknown activation
network: {activation: swish}
-- 4:23 swish

=+ an unknown initializer
network: {initializer: xavier}
-- 4:24 xavier

=+ an unknown kind of inputs
network: {inputs: scale}
-- 4:19 scale

=+ an unknown optimizer
training: [{optimizer: sgd, iterations: 3}]
-- 4:24 sgd

=+ a misspelt schedule
training: [{iterations: 3, schedule: cosin}]
-- 4:38 cosin

=+ an unknown kind of schedule
training: [{iterations: 3, schedule: {kind: linear}}]
-- 4:45 linear

=+ a misspelt reference
reference: hopfcole
-- 4:12 hopfcole

=+ an unknown reference
reference: magic
-- 4:12 magic

=+ a key that the schedule does not have
training: [{iterations: 3, schedule: {kind: cosine, factor: 0.5}}]
-- 4:53 factor

=+ keys of a constant schedule
training: [{iterations: 3, schedule: {kind: constant, every: 5, final: 1}}]
-- 4:55 every
-- 4:65 final

=+ relu and a second derivative
network: {activation: relu}
-- 4:23 relu

=+ a constant from nowhere
constants: {nu: 0.01/p}
-- 4:22 p

=+ a constant from below
constants: {a: 2*b, b: 1}
-- 4:18 b

=+ a constant that depends on a coordinate
constants: {a: 2*x}
-- 4:18 x

=+ an equation for a constant
constants: {a: b = 2}
-- 4:18 =

=+ a constant divided by zero
constants: {a: 1/0}
-- 4:16 1/0

=+ a constant named like a function
constants: {sin: 1}
-- 4:13 sin

=+ a constant named like another
constants: {pi: 3}
-- 4:13 pi

=+ a constant named like the unknown
constants: {u: 3}
-- 4:13 u

=+ a constant named by a word of Python
constants: {lambda: 3}
-- 4:13 lambda

=+ a reserved name
conditions: {slope_recovery: {where: x = 0, equation: u = 0}}
-- 4:14 slope_recovery

=+ one name for two terms
conditions: {heat: {where: x = 0, equation: u = 0}}
-- 4:14 heat

=+ a weight of nothing
weights: {equations: {heet: 2}}
-- 4:23 heet

=+ a face outside
conditions: {start: {where: t = 2, equation: u = 0}}
-- 4:29 t = 2

=+ a face of no coordinate
conditions: {start: {where: y = 0, equation: u = 0}}
-- 4:29 y = 0

=+ a word for a face
conditions: {start: {where: start, equation: u = 0}}
-- 4:29 start

=+ a misspelt boundary
conditions: {start: {where: bondary, equation: u = 0}}
-- 4:29 bondary

=+ a face inside
conditions: {start: {where: [t = 0, x = 0.5], equation: u = 0}}
-- 4:37 x = 0.5

=+ a face with two equals signs
conditions: {start: {where: t = 0 = x, equation: u = 0}}
-- 4:29 t = 0 = x

=+ an inequality for a face
conditions: {start: {where: t >= 0, equation: u = 0}}
-- 4:29 t >= 0

=+ a face without a value
conditions: {start: {where: t = , equation: u = 0}}
-- 4:31 =

=+ a face at an unknown value
conditions: {start: {where: t = zero, equation: u = 0}}
-- 4:33 zero

=+ a condition without an unknown
conditions: {start: {where: t = 0, equation: x = 0}}
-- 4:46 x = 0

=+ the second equation of a condition
conditions: {start: {where: t = 0, equation: [u = 0, u_t = v]}}
-- 4:60 v

=+ a grid that is too large
evaluation: {grid: {x: 10000, t: 10000}}
-- 4:14 grid

=+ a grid along no coordinate
evaluation: {grid: {y: 100}}
-- 4:21 y

=+ a time outside
evaluation: {times: [0.5, 2]}
-- 4:27 2

=+ a reference without its solution
reference: exact
-- 4:1 reference

=+ a reference without its file
reference: file
-- 4:1 reference

=+ a reference with another's key
reference: {kind: hopf-cole, exact: {u: x}}
-- 4:30 exact

=+ two references
reference: {exact: {u: x}, file: a.csv}
-- 4:28 file

=+ a solution of no unknown
reference: {exact: {u: x, w: t}}
-- 4:27 w

=+ a solution that contains the unknown
reference: {exact: {u: u_x}}
-- 4:24 u_x

=+ an equation for a solution
reference: {exact: {u: u = x}}
-- 4:26 =

=+ a reference that is not there
reference: {file: there-is-none.csv}
-- 4:19 there-is-none.csv

=+ names without a file
reference: {exact: {u: x}, names: {u: w}}
-- 4:28 names

=+ data from two sources
data: {target: {u: x}, points: 3, file: a.csv}
-- 4:1 data

=+ data from nowhere
data: {points: 3}
-- 4:1 data

=+ data without a number of points
data: {target: {u: x}}
-- 4:1 data

=+ data on no unknown
data: {target: {w: x}, points: 3}
-- 4:17 w

=+ data that contain the unknown
data: {target: {u: u_x}, points: 3}
-- 4:20 u_x

=+ data that are not there
data: {file: there-is-none.csv}
-- 4:14 there-is-none.csv

=+ data of another format
data: {file: numbers.xlsx}
-- 4:14 numbers.xlsx

=+ data with a file and points
data: {file: none.csv, points: 3, sampler: grid}
-- 4:14 none.csv
-- 4:24 points
-- 4:35 sampler

=+ a target and names
data: {target: {u: x}, points: 3, names: {u: w}}
-- 4:35 names

=+ a name for nothing in a file
data: {file: a.csv, names: {q: b}}
-- 4:14 a.csv
-- 4:29 q
"""

WHOLE = r"""
== no coordinates
unknowns: [u]
equations: {heat: u_t = u_xx}
-- 1:1 u

== neither coordinates nor unknowns
title: nothing yet
-- 1:1 t
-- 1:1 t

== both misspelt
coordinats: {x: [0, 1]}
unknown: [u]
equations: {a: u_x = 0}
-- 1:1 coordinats
-- 2:1 unknown

== no equations
coordinates: {x: [0, 1]}
unknowns: [u]
-- 1:1 c
-- 2:12 u

== two keys twice
coordinates: {x: [0, 1], x: [0, 2]}
unknowns: [u]
unknowns: [v]
-- 1:26 x
-- 3:1 unknowns

== a word for the unknowns
coordinates: {x: [0, 1]}
unknowns: u
equations: {a: u_x = 0}
-- 2:11 u

== no unknowns
coordinates: {x: [0, 1]}
unknowns: []
equations: {a: u_x = 0}
-- 2:11 [

== a number for an unknown
coordinates: {x: [0, 1]}
unknowns: [1]
equations: {a: u_x = 0}
-- 2:12 1

== an unknown twice
coordinates: {x: [0, 1]}
unknowns: [u, u]
equations: {a: u_x = 0}
-- 2:15 u

== an unknown named like a coordinate
coordinates: {x: [0, 1]}
unknowns: [x]
equations: {q: x_x = 0}
-- 2:12 x

== an unknown named like a constant
coordinates: {x: [0, 1]}
unknowns: [e]
equations: {q: e_x = 0}
-- 2:12 e

== an unknown with an underscore
coordinates: {x: [0, 1]}
unknowns: [u__1]
equations: {q: u__1 = 0}
-- 2:12 u__1

== a Greek unknown
coordinates: {x: [0, 1]}
unknowns: [ψ]
equations: {q: ψ_x = 0}
-- 2:12 ψ

== an unknown with a long name
coordinates: {x: [0, 1]}
unknowns: [uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu]
equations: {q: u_1 = 0}
-- 2:12 uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu

== an unknown without an equation
coordinates: {x: [0, 1]}
unknowns: [u, v]
equations: {a: u_x = 1}
-- 2:15 v

== a list for the equations
coordinates: {x: [0, 1]}
unknowns: [u]
equations: [u_x = 0]
-- 3:12 [

== an equation without a text
coordinates: {x: [0, 1]}
unknowns: [u]
equations:
  a:
-- 4:5

== a list for an equation
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {a: [u_x = 0, u = 1]}
-- 3:16 [

== a number for an equation
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {a: 1}
-- 3:16 1

== an umlaut in a name
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {wärme: u_x = 0}
-- 3:13 wärme

== a blank in a name
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {my equation: u_x = 0}
-- 3:13 my equation

== a name that the program needs
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {total: u_x = 0}
-- 3:13 total

== a list for the coordinates
coordinates: [x, t]
unknowns: [u]
equations: {a: u_x = 0}
-- 1:14 [

== a single bound
coordinates: {x: [0]}
unknowns: [u]
equations: {a: u_x = 0}
-- 1:18 [

== three bounds
coordinates: {x: [0, 1, 2]}
unknowns: [u]
equations: {a: u_x = 0}
-- 1:18 [

== bounds in the wrong order
coordinates: {x: [1, 0]}
unknowns: [u]
equations: {a: u_x = 0}
-- 1:18 [

== an empty range
coordinates: {x: [1, 1]}
unknowns: [u]
equations: {a: u_x = 0}
-- 1:18 [

== a narrow range far out
coordinates: {x: [1e9, 1e9 + 1e-6]}
unknowns: [u]
equations: {a: u_x = 0}
-- 1:18 [

=+ faces without brackets
conditions: {c: {where: x = 0, x = 1, equation: u = 0}}
-- 4:32 x = 1

== a range too short for its derivatives
coordinates: {x: [0, 1e-300]}
unknowns: [u]
equations: {a: u_x = 0}
-- 1:18 [

== a range that no number holds
coordinates: {x: [-1e308, 1e308]}
unknowns: [u]
equations: {a: u_x = 0}
-- 1:18 [

== a misspelt bound
coordinates: {x: [0, lenght]}
unknowns: [u]
constants: {length: 2}
equations: {a: u_x = 0}
-- 1:22 lenght

== too many coordinates
coordinates: {a: [0, 1], b: [0, 1], c: [0, 1], d: [0, 1], f: [0, 1], g: [0, 1], h: [0, 1]}
unknowns: [u]
equations: {q: u_a = 0}
-- 1:14 {

== ambiguous coordinates
coordinates: {x: [0, 1], y: [0, 1], xy: [0, 1]}
unknowns: [u]
equations: {q: u_x = 0}
-- 1:37 xy

== a derivative along no coordinate
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations:
  heat: u_t = u_xy
-- 4:15 u_xy

== D along no coordinate
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations:
  heat: u_t = D(u, z)
-- 4:20 z

== a misspelt constant
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
constants: {kappa: 1}
equations:
  heat: u_t = kapa*u_xx
-- 5:15 kapa

== an equation without an unknown
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations:
  heat: x = t
-- 4:9 x = t

== an equation in quotes
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations:
  heat: 'u_t = u_xy'
-- 4:16 u_xy

== an equation with an escape
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations:
  heat: "u_t\x20= u_xy"
-- 4:9 "u_t\x20= u_xy"

== an equation on folded lines
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations:
  heat: >-
    u_t
    = u_xy
-- 6:7 u_xy

== an equation on kept lines
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations:
  heat: |
    u_t = u_xx
      + u_xy + u_z
-- 6:9 u_xy
-- 6:16 u_z

== an equation on bare lines
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations:
  heat: u_t =
    u_xx
    + u_xy
-- 6:7 u_xy

== no space for a boundary
coordinates: {t: [0, 1]}
unknowns: [u]
equations: {a: u_t = -u}
conditions: {b: {where: boundary, equation: u = 1}}
-- 4:25 boundary

== no space for a Laplacian
coordinates: {t: [0, 1]}
unknowns: [u]
equations: {a: u_t = laplacian(u)}
-- 3:22 laplacian(u)

== times without time
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {a: u_x = 1}
evaluation: {times: [0.5]}
-- 4:14 times

== elu and a fourth derivative
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {beam: u_xxxx = 1}
network: {activation: elu}
conditions: {ends: {where: boundary, equation: [u = 0, u_x = 0]}}
-- 4:23 elu

== a solution that lacks an unknown
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u, v]
equations: {a: u_t = v_x, b: v_t = u_x}
reference: {exact: {u: x}}
-- 4:13 exact

== one wrong coordinate gives rise to no other fault
coordinates: {x: 1, t: [0, 1]}
unknowns: [u]
equations: {heat: u_t = u_xx}
-- 1:18 1

== wrong constants give rise to no other fault
coordinates: {x: [0, L], t: [0, 1]}
unknowns: [u]
constants: {L: [1], my__k: 2}
equations: {heat: u_t = L*u_xx}
weights: {equations: {heat: 2}}
-- 3:16 [
-- 3:21 my__k

== a comma in braces
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {a: u_t = D(u, x)}
-- 3:16 u_t = D(u

== several faults at once
coordinates: {x: [1, 0], t: [0, 1]}
unknowns: [u]
equatoins: {heat: u_t = u_xx}
equations:
  heat: u_t = kappa*u_xy
conditions:
  start: {where: t = 5, equation: x = 0}
network: {activation: tahn}
training:
  - {iterations: yes}
-- 1:18 [
-- 3:1 equatoins
-- 5:15 kappa
-- 5:21 u_xy
-- 7:18 t = 5
-- 7:35 x = 0
-- 8:23 tahn
-- 10:18 yes
"""

YAML = r"""
== nothing

--

== a comment
# nothing
--

== null
~
--

== a list
- a
- b
-- 1:1 -

== a word
hello
-- 1:1 hello

== a key that is a list
[a, b]: 3
-- 1:1 [

=+ a second document
---
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {heat: u_t = u_xx}
-- 5:1 c

== text after the end
{coordinates: {x: [0, 1]}} seed: 1
-- 1:28 s

== an open bracket
coordinates: {x: [0, 1}
unknowns: [u]
-- 1:23 }

== an open brace
coordinates: {x: [0, 1]
unknowns: [u]
-- 2:1 u

== an open brace at the end
coordinates: {x: [0, 1]}
unknowns: [u]
network: {hidden: [20, 20]
-- 3:10 {

== a bracket too many
coordinates: {x: [0, 1]]}
unknowns: [u]
-- 1:24 ]

=+ an open quote
title: "Heat
-- 4:8 "Heat

=+ an unknown escape
conditions: {c: {where: x = 0, equation: "u = sin(\pi)"}}
-- 4:52 p

== no colon
coordinates: {x: [0, 1]}
unknowns [u]
equations: {a: u_x = 0}
-- 2:1 unknowns [u]

== no colon at the end
coordinates: {x: [0, 1]}
unknowns [u]
-- 2:1 unknowns [u]

== no blank after a colon
coordinates:{x: [0, 1]}
unknowns: [u]
-- 1:12 :

== a colon in a text
coordinates: {x: [0, 1]}
unknowns: [u]
title: Heat: a study
-- 3:12 :

== a key too far right
coordinates: {x: [0, 1]}
 unknowns: [u]
-- 2:2 u

=+ a key too far left
network:
   hidden: [20]
  activation: tanh
-- 6:3 a

=+ a value and keys below it
network:
  hidden: 20
    activation: tanh
-- 6:15 :

=+ a list on the line of its key
training: - {iterations: 10}
-- 4:11 -

== an anchor
coordinates: &c {x: [0, 1]}
unknowns: [u]
-- 1:14 &c

== an alias
coordinates: {x: [0, 1]}
unknowns: *c
-- 2:11 *c

=+ a star
title: * x
-- 4:8 * x

== a merge key
coordinates: {x: [0, 1]}
unknowns: [u]
<<: {seed: 1}
-- 3:1 <<

== a tag that would run a command
coordinates: !!python/object/apply:os.system [echo hacked]
-- 1:14 !!python/object/apply:os.system

== a tag of Python at the top
!!python/object:os.system {}
-- 1:1 !!python/object:os.system

=+ a harmless tag
title: !!str 3
-- 4:8 !!str

=+ a tag without a meaning
title: !foo!bar 3
-- 4:8 !

== a directive
%FOO
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {heat: u_t = u_xx}
-- 2:1 c

=+ an escape beyond Unicode
title: "a\U00110000"
-- 4:10 \U00110000

=+ an escape beyond what a machine counts
title: "a\Uffffffff"
-- 4:10 \Uffffffff

=+ a percent sign
title: %x
-- 4:8 %

=+ an at sign
title: @x
-- 4:8 @

=+ bars
conditions:
  c:
    where: x = 0
    equation: |u| = 1
-- 7:15 |u| = 1

=+ no value between commas
network: {hidden: [,]}
-- 4:20 ,

=+ brackets in each other
title: [[[[[[[[[[[[[]]]]]]]]]]]]]
-- 4:19 [
"""

OVERRIDES = r"""
=+ no value

--set network.hidden
-- command line:1:7 network.hidden

=+ no path

--set =3
-- command line:1:7 =3

=+ two dots

--set network..hidden=3
-- command line:1:7 network..hidden=3

=+ a key that is none

--set netwrok.hidden=[20]
-- command line:1:7 netwrok.hidden

=+ a wrong form

--set network.hidden=20
-- command line:1:22 20

=+ an index too far
training: [{iterations: 3}]
--set training.1.iterations=5
-- command line:1:7 training.1.iterations

=+ a word for an index
training: [{iterations: 3}]
--set training.first.iterations=5
-- command line:1:7 training.first.iterations

=+ a negative index
training: [{iterations: 3}]
--set training.-1.iterations=5
-- command line:1:7 training.-1.iterations

=+ an index of no list

--set network.hidden.0=many
-- command line:1:24 many

=+ an index too far in an empty list
training: []
--set training.2.iterations=5
-- command line:1:7 training.2.iterations
-- 4:11 [

=+ an index too far in numbers
network: {hidden: [20, 20]}
--set network.hidden.5=10
-- command line:1:7 network.hidden.5

=+ a fraction
training: [{iterations: 3}]
--set training.0.iterations=1e3
-- command line:1:29 1e3

=+ an open bracket

--set network.hidden=[20
-- command line:1:22 [

=+ an empty value

--set seed=
-- command line:1:11 =

=+ below a text
title: hello
--set title.x=3
-- 4:8 hello

=+ an expression

--set equations.heat=u_t = u_xy
-- command line:1:28 u_xy

=+ a constant

--set constants.nu=1/0
-- command line:1:20 1/0

=+ a tag

--set title=!!python/object/apply:os.system [x]
-- command line:1:13 !!python/object/apply:os.system

=+ too many steps

--set a.a.a.a.a.a.a.a.a.a.a.a.a=1
-- command line:1:7 a.a.a.a.a.a.a.a.a.a.a.a.a=1

=+ two assignments
seed: x
--set dtype=half
--set device=gpu
-- command line:1:13 half
-- command line:1:14 gpu
-- 4:7 x
"""


@pytest.mark.parametrize(
    ("yaml", "assignments", "marks"), cases(FORM, MEANING, WHOLE, YAML, OVERRIDES)
)
def test_complete_message(
    yaml: str,
    assignments: list[str],
    marks: list[str],
    monkeypatch: pytest.MonkeyPatch,
    snapshot: SnapshotAssertion,
) -> None:
    monkeypatch.setattr(os, "system", lambda _: pytest.fail("a command was run"))
    error = spec_error(yaml, assignments)
    assert marks_of(error) == marks
    assert str(error) == snapshot


def test_the_first_item_of_a_list_comes_into_being() -> None:
    """`--iterations` means `training.0.iterations`, also where the spec leaves the training to its defaults."""
    assignments = ["training.0.iterations=5", "network.hidden.0=30"]
    plan = make_plan(
        Text("spec.yaml", START + CONDITIONS),
        [Override.from_assignment(a, "--set ") for a in assignments],
    )
    assert plan.spec.training[0].iterations == 5
    assert plan.spec.network.hidden == [30]


BURGERS = """\
coordinates: {x: [-1, 1], t: [0, 1]}
unknowns: [u]
constants: {nu: 0.01/pi}
equations: {momentum: u_t + u*u_x = nu*u_xx}
conditions:
  initial: {where: t = 0, equation: u = -sin(pi*x)}
  walls: {where: boundary, equation: u = 0}
reference: hopf-cole
"""
# Each: what is changed in BURGERS, and into what, so that Hopf-Cole does not apply.
NOT_HOPF_COLE = {
    "a variable viscosity": ("= nu*u_xx", "= nu*x*u_xx"),
    "another sign": ("+ u*u_x", "- u*u_x"),
    "no advection": ("+ u*u_x", "+ u_x"),
    "a source": ("= nu*u_xx", "= nu*u_xx + sin(x)"),
    "a wall that moves": ("equation: u = 0", "equation: u = 1"),
    "a wall without friction": ("equation: u = 0", "equation: u_x = 0"),
    "a single wall": ("boundary", "x = 1"),
    "initial values that jump at the walls": ("-sin(pi*x)", "cos(pi*x)"),
    "initial values with a kink": ("-sin(pi*x)", "abs(x) - 1"),
    "initial values of the square": ("u = -sin(pi*x)", "u**2 = 1 - x**2"),
    "no initial values": ("where: t = 0", "at: {t: 0.5}"),
    "two unknowns": ("unknowns: [u]\n", "unknowns: [u, v]\ndata: {target: {v: x}, points: 9}\n"),
}


@pytest.mark.parametrize(("old", "new"), NOT_HOPF_COLE.values(), ids=NOT_HOPF_COLE)
def test_hopf_cole_says_why_it_does_not_apply(
    old: str, new: str, snapshot: SnapshotAssertion
) -> None:
    assert old in BURGERS
    yaml = BURGERS.replace(old, new)
    error = spec_error(yaml)
    assert marks_of(error) == [f"{yaml.count(chr(10))}:12 hopf-cole"]
    assert str(error) == snapshot


CHARACTERS = {
    "a tab for an indent": ("coordinates:\n\tx: [0, 1]\n", "2:1"),
    "a tab before a value": ("coordinates: {x:\t[0, 1]}\n", "1:17"),
    "a null": (START + "title: a\0b\n", "4:9 \0"),
    "an escape": (START + "title: \x1b[31m\n", "4:8 \x1b"),
    "half a character": (START + "title: \ud800\n", "4:8 \ud800"),
    "a mark that turns the writing around": (START + "seed: \u202e1\n", "4:7 \u202e1"),
    "line ends of other systems": (
        START.replace("\n", "\r\n") + "title: a\r\rseed: x\r\n",
        "6:7 x",
    ),
    "line ends of Unicode": (START + "title: a\u2028seed: x\n", "5:7 x"),
    "letters beyond the basic plane": (
        START + "title: 😀\nnetwork: {activation: 😀}\n" + CONDITIONS,
        "5:23 😀",
    ),
    "a no-break space in an equation": (START.replace("u_t = u_xx", "u_t\xa0= u_xx"), "3:22"),
    "the end of a long line": (START.replace("u_xx", "1.0*u_xx + " * 30 + "u_xy"), "3:355 u_xy"),
    "a long line": (START.replace("u_xx", "u_xy" + " + 1.0*u_xx" * 30), "3:25 u_xy"),
    "a long word": (START + f"dtype: {'q' * 300}\n", f"4:8 {'q' * 300}"),
}
"""Each: the text, and the place and the characters that the message points at."""


@pytest.mark.parametrize(("yaml", "mark"), CHARACTERS.values(), ids=CHARACTERS)
def test_characters(yaml: str, mark: str, snapshot: SnapshotAssertion) -> None:
    error = spec_error(yaml)
    assert marks_of(error) == [mark]
    assert str(error) == snapshot


def test_very_many_faults_are_cut() -> None:
    wrong = "".join(f"  c{i}: []\n" for i in range(1000))
    text = message(f"{START}constants:\n{wrong}")
    assert text.count("must be an expression, got a list") == 50
    assert text.endswith("\n\n950 more faults are not shown")
    assert message(START + "seed: 1\n" * 1000).count("duplicate key 'seed'") == 50


TABLES = {
    "a column that is missing": "x,t,v\n0,0,1\n",
    "a misspelt column": "x,t,uu\n0,0,1\n",
    "a word among the numbers": "x,t,u\n0,0,1\n0,1,many\n",
    "a line that is too short": "x,t,u\n0,0,1\n0,1\n",
    "no lines": "x,t,u\n",
    "nothing": "",
    "not a number": "x,t,u\n0,0,nan\n",
    "no text": "x,t,u\n\udcff",
}


@pytest.mark.parametrize("content", TABLES.values(), ids=TABLES)
def test_data_files(
    content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_bytes(content.encode("utf-8", "surrogateescape"))
    error = spec_error(START + "data: {file: a.csv}\n")
    assert marks_of(error) == ["4:14 a.csv"]
    assert str(error) == snapshot


ARRAYS = {
    "Python objects": {"x": np.array([object()])},
    "complex numbers": {"x": np.array([1j])},
    "no values": {"x": np.zeros(0)},
    "shapes that do not fit": {"x": np.arange(3.0), "u": np.zeros((5, 6))},
    "a coordinate with two axes": {"x": np.zeros((3, 2))},
}


@pytest.mark.parametrize("arrays", ARRAYS.values(), ids=ARRAYS)
def test_data_arrays(
    arrays: dict[str, np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    snapshot: SnapshotAssertion,
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", **({"x": np.zeros(1), "t": np.zeros(1), "u": np.zeros(1)} | arrays))
    error = spec_error(START + "data: {file: a.npz}\n")
    assert marks_of(error) == ["4:14 a.npz"]
    assert str(error) == snapshot


@pytest.mark.parametrize(
    "make",
    [os.mkfifo, os.mkdir, lambda path: Path(path).symlink_to("/dev/zero")],
    ids=["a pipe", "a folder", "a device"],
)
def test_data_that_are_no_file(
    make: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    monkeypatch.chdir(tmp_path)
    make("a.csv")
    error = spec_error(START + "data: {file: a.csv}\n")
    assert marks_of(error) == ["4:14 a.csv"]
    assert str(error) == snapshot


@pytest.mark.parametrize(("key", "examples"), EXAMPLES.items(), ids=EXAMPLES)
def test_the_examples_in_hints_are_right(key: str, examples: str) -> None:
    """Each as the value of its key: whatever else the spec then lacks, it has the form that the models ask for."""
    sections, name = key.replace("*", "c").rpartition(".")[::2]
    for example in examples.split(f", or {name}: "):
        entry = f"{name}: {example}"
        other = "equation: u = 0" if name == "where" else "where: t = 0"
        wrapped = {
            "": entry,
            "conditions": f"conditions: {{{entry if name == 'c' else f'c: {{{other}, {entry}}}'}}}",
            "learn": f"learn: {{{entry if name == 'c' else f'c: {{start: 1, {entry}}}'}}}",
            "training": f"training: [{{iterations: 1, {entry}}}]",
            "data": f"data: {{points: 9, {entry}}}",
        }.get(sections, f"{sections}: {{{entry}}}")
        needed = [line for line in START.splitlines() if not line.startswith(f"{name}:")]
        yaml = "\n".join([*needed, wrapped])
        assert not load(Text("spec.yaml", yaml)).faults
