"""What people write into a spec by mistake, and the complete message that each of them gets."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from fault_tables import CONDITIONS, START, cases, message

from laaf_cli.runs.plan import make_plan
from laaf_cli.spec import Override, Text
from laaf_cli.spec.examples import EXAMPLES
from laaf_cli.spec.load import load

FORM = r"""
=+ a misspelt key
netwrok: {hidden: [20]}
--
spec.yaml:4:1: unknown key 'netwrok'
   4 | netwrok: {hidden: [20]}
     | ^^^^^^^
Did you mean 'network'?

=+ a key that is none
colour: red
--
spec.yaml:4:1: unknown key 'colour'
   4 | colour: red
     | ^^^^^^
Keys: coordinates, unknowns, constants, learn, functions, periodic, transform, equations, conditions, data, title, source, points, network, slopes, weights, training, checkpoint, reference, evaluation, seed, dtype, device.

=+ a key of a section
iterations: 100
--
spec.yaml:4:1: unknown key 'iterations'
   4 | iterations: 100
     | ^^^^^^^^^^
Did you mean 'iterations' in 'training', as in training: [{iterations: …}]?

=+ a key of the whole spec
training: [{dtype: float64}]
--
spec.yaml:4:13: unknown key 'dtype' in 'training.0'
   4 | training: [{dtype: float64}]
     |             ^^^^^
Did you mean 'dtype' at the top of the spec?

=+ a misspelt key of a section
network: {hiden: [20]}
--
spec.yaml:4:11: unknown key 'hiden' in 'network'
   4 | network: {hiden: [20]}
     |           ^^^^^
Did you mean 'hidden'?

=+ a misspelt key of a phase
training:
  - {optimiser: adam, iterations: 10}
--
spec.yaml:5:6: unknown key 'optimiser' in 'training.0'
   5 |   - {optimiser: adam, iterations: 10}
     |      ^^^^^^^^^
Did you mean 'optimizer'?

=+ a misspelt key of a schedule
training: [{iterations: 10, schedule: {kind: step, evry: 5}}]
--
spec.yaml:4:52: unknown key 'evry' in 'schedule'
   4 | training: [{iterations: 10, schedule: {kind: step, evry: 5}}]
     |                                                    ^^^^
Did you mean 'every'?

=+ a misspelt key of the recovery
slopes: {recovery: {wieght: 2}}
--
spec.yaml:4:21: unknown key 'wieght' in 'recovery'
   4 | slopes: {recovery: {wieght: 2}}
     |                     ^^^^^^
Did you mean 'weight'?

=+ a misspelt key that is needed
conditions: {start: {were: t = 0, equation: u = 0}}
--
spec.yaml:4:22: unknown key 'were' in 'start'
   4 | conditions: {start: {were: t = 0, equation: u = 0}}
     |                      ^^^^
Did you mean 'where'?

=+ a misspelt key of the data
data: {taget: {u: x}, points: 3}
--
spec.yaml:4:8: unknown key 'taget' in 'data'
   4 | data: {taget: {u: x}, points: 3}
     |        ^^^^^
Did you mean 'target'?

=+ a misspelt key of the weights
weights: {equation: {heat: 2}}
--
spec.yaml:4:11: unknown key 'equation' in 'weights'
   4 | weights: {equation: {heat: 2}}
     |           ^^^^^^^^
Did you mean 'equations'?

=+ a misspelt key of the reference
reference: {exactly: {u: x}}
--
spec.yaml:4:13: unknown key 'exactly' in 'reference'
   4 | reference: {exactly: {u: x}}
     |             ^^^^^^^
Did you mean 'exact'?

=+ a misspelt key of the evaluation
evaluation: {gird: {x: 3}}
--
spec.yaml:4:14: unknown key 'gird' in 'evaluation'
   4 | evaluation: {gird: {x: 3}}
     |              ^^^^
Did you mean 'grid'?

=+ a condition without a place
conditions: {start: {equation: u = 0}}
--
spec.yaml:4:14: condition 'start' has no place
   4 | conditions: {start: {equation: u = 0}}
     |              ^^^^^
One of these says where it holds: where, at, periodic, integral, data.

=+ a condition without an equation
conditions:
  start: {where: t = 0}
--
spec.yaml:5:3: 'start' lacks the key 'equation'
   5 |   start: {where: t = 0}
     |   ^^^^^
As in equation: u = 0.

=+ a phase without iterations
training:
  - {optimizer: adam}
--
spec.yaml:5:5: 'training.0' lacks the key 'iterations'
   5 |   - {optimizer: adam}
     |     ^
As in training: [{optimizer: adam, iterations: 2000}].

=+ a schedule without a kind
training: [{iterations: 1, schedule: {factor: 0.5}}]
--
spec.yaml:4:28: 'schedule' lacks the key 'kind'
   4 | training: [{iterations: 1, schedule: {factor: 0.5}}]
     |                            ^^^^^^^^
As in schedule: cosine, or schedule: {kind: step, factor: 0.5, every: 1000}.

=+ an empty reference
reference: {}
--
spec.yaml:4:1: 'reference' lacks the key 'kind'
   4 | reference: {}
     | ^^^^^^^^^
As in reference: hopf-cole, or reference: {exact: {u: sin(pi*x)}}.

=+ a key twice
seed: 1
seed: 2
--
spec.yaml:5:1: the key 'seed' stands here twice
   5 | seed: 2
     | ^^^^
First on line 4.

=+ a key twice in a section
network: {hidden: [20], hidden: [30]}
--
spec.yaml:4:25: the key 'hidden' stands here twice
   4 | network: {hidden: [20], hidden: [30]}
     |                         ^^^^^^
First on line 4.

=+ yes is not a number
training: [{iterations: yes}]
--
spec.yaml:4:25: 'iterations' must be a whole number, not 'yes'
   4 | training: [{iterations: yes}]
     |                         ^^^

=+ true is not a number
training: [{iterations: true}]
--
spec.yaml:4:25: 'iterations' must be a whole number, not true
   4 | training: [{iterations: true}]
     |                         ^^^^

=+ 1e3 is not a whole number
training: [{iterations: 1e3}]
--
spec.yaml:4:25: 'iterations' must be a whole number, not 1000.0
   4 | training: [{iterations: 1e3}]
     |                         ^^^
Write 1000.

=+ a fraction of an iteration
training: [{iterations: 1.5}]
--
spec.yaml:4:25: 'iterations' must be a whole number, not 1.5
   4 | training: [{iterations: 1.5}]
     |                         ^^^

=+ no iterations
training: [{iterations: 0}]
--
spec.yaml:4:25: 'iterations' must be at least 1, not 0
   4 | training: [{iterations: 0}]
     |                         ^

=+ a negative learning rate
training: [{iterations: 10, learning_rate: -1}]
--
spec.yaml:4:44: 'learning_rate' must be greater than 0, not -1
   4 | training: [{iterations: 10, learning_rate: -1}]
     |                                            ^^

=+ a learning rate in words
training: [{iterations: 10, learning_rate: fast}]
--
spec.yaml:4:44: 'learning_rate' is a number, not 'fast'
   4 | training: [{iterations: 10, learning_rate: fast}]
     |                                            ^^^^

=+ not-a-number
training: [{iterations: 10, learning_rate: nan}]
--
spec.yaml:4:44: 'learning_rate' is a number, not 'nan'
   4 | training: [{iterations: 10, learning_rate: nan}]
     |                                            ^^^

=+ true for a learning rate
training: [{iterations: 10, learning_rate: true}]
--
spec.yaml:4:44: 'learning_rate' is a number, not true
   4 | training: [{iterations: 10, learning_rate: true}]
     |                                            ^^^^

=+ a mapping for the list of phases
training: {iterations: 10}
--
spec.yaml:4:11: 'training' is a list, not a mapping
   4 | training: {iterations: 10}
     |           ^
As in training: [{optimizer: adam, iterations: 2000}].

=+ no phases
training: []
--
spec.yaml:4:11: 'training' needs 1 or more, and has 0
   4 | training: []
     |           ^
As in training: [{optimizer: adam, iterations: 2000}].

=+ nothing for the phases
training:
--
spec.yaml:4:10: 'training' is a list, not empty
   4 | training:
     |          ^
As in training: [{optimizer: adam, iterations: 2000}].

=+ a number for a phase
training: [10]
--
spec.yaml:4:12: 'training.0' is a mapping (key: value), not 10
   4 | training: [10]
     |            ^^
As in training: [{optimizer: adam, iterations: 2000}].

=+ a list for a number
seed: [1, 2]
--
spec.yaml:4:7: 'seed' must be a whole number, not a list
   4 | seed: [1, 2]
     |       ^

=+ a mapping for a text
title: {a: b}
--
spec.yaml:4:8: 'title' is text, not a mapping
   4 | title: {a: b}
     |        ^

=+ a number for a text
title: 2019
--
spec.yaml:4:8: 'title' is text, not 2019
   4 | title: 2019
     |        ^^^^
Put it in quotes.

=+ a number for the widths
network: {hidden: 20}
--
spec.yaml:4:19: 'hidden' is a list, not 20
   4 | network: {hidden: 20}
     |                   ^^
As in hidden: [20, 20].

=+ a word among the widths
network: {hidden: [20, many]}
--
spec.yaml:4:24: 'hidden.1' must be a whole number, not 'many'
   4 | network: {hidden: [20, many]}
     |                        ^^^^

=+ a width of zero
network: {hidden: [20, 0]}
--
spec.yaml:4:24: 'hidden.1' must be at least 1, not 0
   4 | network: {hidden: [20, 0]}
     |                        ^

=+ a width with a point
network: {hidden: [20.0]}
--
spec.yaml:4:20: 'hidden.0' must be a whole number, not 20.0
   4 | network: {hidden: [20.0]}
     |                    ^^^^
Write 20.

=+ a width beyond the limit
network: {hidden: [5000]}
--
spec.yaml:4:20: 'hidden.0' must be at most 4,096, not 5000
   4 | network: {hidden: [5000]}
     |                    ^^^^

=+ no widths
network: {hidden: []}
--
spec.yaml:4:19: 'hidden' needs 1 or more, and has 0
   4 | network: {hidden: []}
     |                   ^
As in hidden: [20, 20].

=+ a word for a section
network: big
--
spec.yaml:4:10: 'network' is a mapping (key: value), not 'big'
   4 | network: big
     |          ^^^
As in network: {hidden: [20, 20], activation: tanh}.

=+ an empty section
network:
--
spec.yaml:4:9: 'network' is a mapping (key: value), not empty
   4 | network:
     |         ^
As in network: {hidden: [20, 20], activation: tanh}.

=+ a constant of no form
constants: {a: true}
--
spec.yaml:4:16: 'a' is an expression, not true
   4 | constants: {a: true}
     |                ^^^^

=+ a constant without a value
constants: {a: }
--
spec.yaml:4:15: 'a' is an expression, not empty
   4 | constants: {a: }
     |               ^

=+ constants as a list
constants: [a]
--
spec.yaml:4:12: 'constants' is a mapping (key: value), not a list
   4 | constants: [a]
     |            ^
As in constants: {nu: 0.01/pi}.

=+ an underscore in a constant
constants: {my_nu: 1}
--
spec.yaml:4:13: 'my_nu' is not a name
   4 | constants: {my_nu: 1}
     |             ^^^^^
A name begins with a letter (A to Z, a to z); letters and digits follow, no '_'.

=+ a Greek constant
constants: {ν: 1}
--
spec.yaml:4:13: 'ν' is not a name
   4 | constants: {ν: 1}
     |             ^
A name begins with a letter (A to Z, a to z); letters and digits follow, no '_'.

=+ a place that is a mapping
conditions: {start: {where: {t: 0}, equation: u = 0}}
--
spec.yaml:4:29: 'where' is text or a list, not a mapping
   4 | conditions: {start: {where: {t: 0}, equation: u = 0}}
     |                             ^
As in where: x = -1, or where: [x = -1, x = 1].

=+ a place that is a number
conditions: {start: {where: 0, equation: u = 0}}
--
spec.yaml:4:29: 'where' is text, not 0
   4 | conditions: {start: {where: 0, equation: u = 0}}
     |                             ^
As in where: x = -1, or where: [x = -1, x = 1].

=+ no places
conditions: {start: {where: [], equation: u = 0}}
--
spec.yaml:4:29: 'where' needs 1 or more, and has 0
   4 | conditions: {start: {where: [], equation: u = 0}}
     |                             ^
As in where: x = -1, or where: [x = -1, x = 1].

=+ no equations in a condition
conditions: {start: {where: t = 0, equation: []}}
--
spec.yaml:4:46: 'equation' needs 1 or more, and has 0
   4 | conditions: {start: {where: t = 0, equation: []}}
     |                                              ^
As in equation: u = 0, or equation: [u = 0, u_t = 0].

=+ a negative weight
conditions: {start: {where: t = 0, equation: u = 0, weight: -1}}
--
spec.yaml:4:61: 'weight' must be at least 0, not -1
   4 | conditions: {start: {where: t = 0, equation: u = 0, weight: -1}}
     |                                                             ^^

=+ no points
conditions: {start: {where: t = 0, equation: u = 0, points: 0}}
--
spec.yaml:4:61: 'points' must be at least 1, not 0
   4 | conditions: {start: {where: t = 0, equation: u = 0, points: 0}}
     |                                                             ^

=+ too many points
points: {interior: 1000000000}
--
spec.yaml:4:20: 'interior' must be at most 100,000,000, not 1000000000
   4 | points: {interior: 1000000000}
     |                    ^^^^^^^^^^

=+ a number for the points
points: 100
--
spec.yaml:4:9: 'points' is a mapping (key: value), not 100
   4 | points: 100
     |         ^^^
As in points: {interior: 10000}.

=+ a number for the grid
evaluation: {grid: 100}
--
spec.yaml:4:20: 'grid' is a mapping (key: value), not 100
   4 | evaluation: {grid: 100}
     |                    ^^^
As in grid: {x: 256, t: 100}.

=+ a single grid point
evaluation: {grid: {x: 1}}
--
spec.yaml:4:24: 'x' must be at least 2, not 1
   4 | evaluation: {grid: {x: 1}}
     |                        ^

=+ a number for the times
evaluation: {times: 0.5}
--
spec.yaml:4:21: 'times' is a list, not 0.5
   4 | evaluation: {times: 0.5}
     |                     ^^^
As in times: [0.25, 0.5, 0.75].

=+ a word among the times
evaluation: {times: [half]}
--
spec.yaml:4:22: 'times.0' is a number, not 'half'
   4 | evaluation: {times: [half]}
     |                      ^^^^

=+ an unknown kind of slopes
slopes: {kind: laaf}
--
spec.yaml:4:16: 'laaf' is not a choice for 'kind'
   4 | slopes: {kind: laaf}
     |                ^^^^
Choices: fixed, gaaf, llaaf, nlaaf.

=+ a scale below 1
slopes: {n: 0.5}
--
spec.yaml:4:13: 'n' must be at least 1, not 0.5
   4 | slopes: {n: 0.5}
     |             ^^^

=+ a word for the recovery
slopes: {recovery: maybe}
--
spec.yaml:4:20: 'recovery' is a mapping (key: value), not 'maybe'
   4 | slopes: {recovery: maybe}
     |                    ^^^^^
As in recovery: false, or recovery: {weight: 1}.

=+ an unknown form of the recovery
slopes: {recovery: {form: average}}
--
spec.yaml:4:27: 'average' is not a choice for 'form'
   4 | slopes: {recovery: {form: average}}
     |                           ^^^^^^^
Choices: mean, sum.

=+ an unknown precision
dtype: double
--
spec.yaml:4:8: 'double' is not a choice for 'dtype'
   4 | dtype: double
     |        ^^^^^^
Did you mean 'float64'?

=+ an unknown device
device: gpu
--
spec.yaml:4:9: 'gpu' is not a choice for 'device'
   4 | device: gpu
     |         ^^^
Did you mean 'cuda'?

=+ no precision
dtype:
--
spec.yaml:4:7: 'dtype' is empty
   4 | dtype:
     |       ^
Choices: float32, float64.

=+ a negative seed
seed: -1
--
spec.yaml:4:7: 'seed' must be at least 0, not -1
   4 | seed: -1
     |       ^^

=+ a seed beyond 64 bits
seed: 99999999999999999999999
--
spec.yaml:4:7: 'seed' must be less than 9,223,372,036,854,775,808, not 99999999999999999999999
   4 | seed: 99999999999999999999999
     |       ^^^^^^^^^^^^^^^^^^^^^^^

=+ a seed in base 16
seed: 0x10
--
spec.yaml:4:7: 'seed' must be a whole number, not '0x10'
   4 | seed: 0x10
     |       ^^^^

=+ a seed like a time
seed: 1:30
--
spec.yaml:4:7: 'seed' must be a whole number, not '1:30'
   4 | seed: 1:30
     |       ^^^^

=+ a list for a schedule
training: [{iterations: 3, schedule: [step]}]
--
spec.yaml:4:38: 'schedule' is a mapping (key: value), not a list
   4 | training: [{iterations: 3, schedule: [step]}]
     |                                      ^
As in schedule: cosine, or schedule: {kind: step, factor: 0.5, every: 1000}.

=+ a schedule's factor above 1
training: [{iterations: 3, schedule: {kind: step, factor: 1.5}}]
--
spec.yaml:4:59: 'factor' must be at most 1, not 1.5
   4 | training: [{iterations: 3, schedule: {kind: step, factor: 1.5}}]
     |                                                           ^^^

=+ a list for the reference
reference: [exact]
--
spec.yaml:4:12: 'reference' is a mapping (key: value), not a list
   4 | reference: [exact]
     |            ^
As in reference: hopf-cole, or reference: {exact: {u: sin(pi*x)}}.

=+ a word for the exact solution
reference: {exact: x}
--
spec.yaml:4:20: 'exact' is a mapping (key: value), not 'x'
   4 | reference: {exact: x}
     |                    ^
As in exact: {u: sin(pi*x)}.

=+ no target
data: {target: {}, points: 3}
--
spec.yaml:4:16: 'target' needs 1 or more, and has 0
   4 | data: {target: {}, points: 3}
     |                ^
As in target: {u: sin(pi*x)}.

=+ an escape sequence in a word
dtype: "\e[31mred"
--
spec.yaml:4:8: the character '\x1b' cannot stand in a spec
   4 | dtype: "\e[31mred"
     |        ^^^^^^^^^^^
Leave out the escape.
"""

MEANING = r"""
=+ an unknown sampler
points: {sampler: latin}
--
spec.yaml:4:19: 'latin' is not a choice for 'sampler'
   4 | points: {sampler: latin}
     |                   ^^^^^
Choices: latin-hypercube, uniform, sobol, halton, grid.

=+ an unknown sampler of the data
data: {target: {u: x}, points: 3, sampler: sobl}
--
spec.yaml:4:44: 'sobl' is not a choice for 'sampler'
   4 | data: {target: {u: x}, points: 3, sampler: sobl}
     |                                            ^^^^
Did you mean 'sobol'?

=+ a misspelt activation
network: {activation: tahn}
--
spec.yaml:4:23: 'tahn' is not a choice for 'activation'
   4 | network: {activation: tahn}
     |                       ^^^^
Did you mean 'tanh'?

=+ an unknown activation
network: {activation: swish}
--
spec.yaml:4:23: 'swish' is not a choice for 'activation'
   4 | network: {activation: swish}
     |                       ^^^^^
Did you mean 'silu'?

=+ an unknown initializer
network: {initializer: xavier}
--
spec.yaml:4:24: 'xavier' is not a choice for 'initializer'
   4 | network: {initializer: xavier}
     |                        ^^^^^^
Did you mean 'glorot-normal'?

=+ an unknown kind of inputs
network: {inputs: scale}
--
spec.yaml:4:19: 'scale' is not a choice for 'inputs'
   4 | network: {inputs: scale}
     |                   ^^^^^
Choices: scaled, raw.

=+ an unknown optimizer
training: [{optimizer: sgd, iterations: 3}]
--
spec.yaml:4:24: 'sgd' is not a choice for 'optimizer'
   4 | training: [{optimizer: sgd, iterations: 3}]
     |                        ^^^
Choices: adam, lbfgs, bfgs, ssbfgs, ssbroyden, levenberg-marquardt, least-squares.

=+ a misspelt schedule
training: [{iterations: 3, schedule: cosin}]
--
spec.yaml:4:38: 'cosin' is not a choice for 'schedule'
   4 | training: [{iterations: 3, schedule: cosin}]
     |                                      ^^^^^
Did you mean 'cosine'?

=+ an unknown kind of schedule
training: [{iterations: 3, schedule: {kind: linear}}]
--
spec.yaml:4:45: 'linear' is not a choice for 'schedule'
   4 | training: [{iterations: 3, schedule: {kind: linear}}]
     |                                             ^^^^^^
Choices: constant, exponential, step, cosine.

=+ a misspelt reference
reference: hopfcole
--
spec.yaml:4:12: 'hopfcole' is not a choice for 'reference'
   4 | reference: hopfcole
     |            ^^^^^^^^
Did you mean 'hopf-cole'?

=+ an unknown reference
reference: magic
--
spec.yaml:4:12: 'magic' is not a choice for 'reference'
   4 | reference: magic
     |            ^^^^^
Choices: auto, spectral, hopf-cole, exact, file, none.

=+ a key that the schedule does not have
training: [{iterations: 3, schedule: {kind: cosine, factor: 0.5}}]
--
spec.yaml:4:53: the schedule 'cosine' takes no 'factor'
   4 | training: [{iterations: 3, schedule: {kind: cosine, factor: 0.5}}]
     |                                                     ^^^^^^
Its keys: final.

=+ keys of a constant schedule
training: [{iterations: 3, schedule: {kind: constant, every: 5, final: 1}}]
--
spec.yaml:4:55: the schedule 'constant' takes no 'every'
   4 | training: [{iterations: 3, schedule: {kind: constant, every: 5, final: 1}}]
     |                                                       ^^^^^
Its keys: none.

spec.yaml:4:65: the schedule 'constant' takes no 'final'
   4 | training: [{iterations: 3, schedule: {kind: constant, every: 5, final: 1}}]
     |                                                                 ^^^^^
Its keys: none.

=+ relu and a second derivative
network: {activation: relu}
--
spec.yaml:4:23: 'relu' does not suit the equation 'heat' of order 2
   4 | network: {activation: relu}
     |                       ^^^^
Its second derivative is zero wherever it exists, so an equation of second order cannot be learned. Choices: tanh, sin, sigmoid, silu, gelu, softplus, elu.

=+ a constant from nowhere
constants: {nu: 0.01/p}
--
spec.yaml:4:22: unknown name 'p' in constant 'nu'
   4 | constants: {nu: 0.01/p}
     |                      ^
Did you mean 'pi'?

=+ a constant from below
constants: {a: 2*b, b: 1}
--
spec.yaml:4:18: unknown name 'b' in constant 'a'
   4 | constants: {a: 2*b, b: 1}
     |                  ^
Known here: pi, e.

=+ a constant that depends on a coordinate
constants: {a: 2*x}
--
spec.yaml:4:18: unknown name 'x' in constant 'a'
   4 | constants: {a: 2*x}
     |                  ^
Known here: pi, e.

=+ an equation for a constant
constants: {a: b = 2}
--
spec.yaml:4:18: an equation stands where a value is expected in constant 'a'
   4 | constants: {a: b = 2}
     |                  ^
Write the value alone.

=+ a constant divided by zero
constants: {a: 1/0}
--
spec.yaml:4:16: division by zero in constant 'a'
   4 | constants: {a: 1/0}
     |                ^^^

=+ a constant named like a function
constants: {sin: 1}
--
spec.yaml:4:13: 'sin' is already a function
   4 | constants: {sin: 1}
     |             ^^^
Choose another name.

=+ a constant named like another
constants: {pi: 3}
--
spec.yaml:4:13: 'pi' is already a fixed constant
   4 | constants: {pi: 3}
     |             ^^
Choose another name.

=+ a constant named like the unknown
constants: {u: 3}
--
spec.yaml:4:13: 'u' is already an unknown
   4 | constants: {u: 3}
     |             ^
Choose another name.

=+ a constant named by a word of Python
constants: {lambda: 3}
--
spec.yaml:4:13: 'lambda' is already a reserved word
   4 | constants: {lambda: 3}
     |             ^^^^^^
Choose another name.

=+ a reserved name
conditions: {slope_recovery: {where: x = 0, equation: u = 0}}
--
spec.yaml:4:14: the name 'slope_recovery' is reserved
   4 | conditions: {slope_recovery: {where: x = 0, equation: u = 0}}
     |              ^^^^^^^^^^^^^^
Choose another name.

=+ one name for two terms
conditions: {heat: {where: x = 0, equation: u = 0}}
--
spec.yaml:4:14: 'heat' names an equation and a condition
   4 | conditions: {heat: {where: x = 0, equation: u = 0}}
     |              ^^^^
Each term of the loss has its own name.

=+ a weight of nothing
weights: {equations: {heet: 2}}
--
spec.yaml:4:23: there is no equation 'heet'
   4 | weights: {equations: {heet: 2}}
     |                       ^^^^
Did you mean 'heat'?

=+ a face outside
conditions: {start: {where: t = 2, equation: u = 0}}
--
spec.yaml:4:29: 't = 2' is not a face of the domain
   4 | conditions: {start: {where: t = 2, equation: u = 0}}
     |                             ^^^^^
Faces: x = 0, x = 1, t = 0, t = 1; or boundary.

=+ a face of no coordinate
conditions: {start: {where: y = 0, equation: u = 0}}
--
spec.yaml:4:29: 'y = 0' does not begin with a coordinate
   4 | conditions: {start: {where: y = 0, equation: u = 0}}
     |                             ^^^^^
Faces: x = 0, x = 1, t = 0, t = 1; or boundary.

=+ a word for a face
conditions: {start: {where: start, equation: u = 0}}
--
spec.yaml:4:29: 'start' is not a face
   4 | conditions: {start: {where: start, equation: u = 0}}
     |                             ^^^^^
Faces: x = 0, x = 1, t = 0, t = 1; or boundary.

=+ a misspelt boundary
conditions: {start: {where: bondary, equation: u = 0}}
--
spec.yaml:4:29: 'bondary' is not a face
   4 | conditions: {start: {where: bondary, equation: u = 0}}
     |                             ^^^^^^^
Did you mean 'boundary'?

=+ a face inside
conditions: {start: {where: [t = 0, x = 0.5], equation: u = 0}}
--
spec.yaml:4:37: 'x = 0.5' is not a face of the domain
   4 | conditions: {start: {where: [t = 0, x = 0.5], equation: u = 0}}
     |                                     ^^^^^^^
Inside the domain, write at: {x: 0.5} for where. Faces: x = 0, x = 1, t = 0, t = 1; or boundary.

=+ a face with two equals signs
conditions: {start: {where: t = 0 = x, equation: u = 0}}
--
spec.yaml:4:29: 't = 0 = x' is not a face
   4 | conditions: {start: {where: t = 0 = x, equation: u = 0}}
     |                             ^^^^^^^^^
Faces: x = 0, x = 1, t = 0, t = 1; or boundary.

=+ an inequality for a face
conditions: {start: {where: t >= 0, equation: u = 0}}
--
spec.yaml:4:29: 't >= 0' is not a face
   4 | conditions: {start: {where: t >= 0, equation: u = 0}}
     |                             ^^^^^^
Faces: x = 0, x = 1, t = 0, t = 1; or boundary.

=+ a face without a value
conditions: {start: {where: t = , equation: u = 0}}
--
spec.yaml:4:31: an expression is missing in condition 'start'
   4 | conditions: {start: {where: t = , equation: u = 0}}
     |                               ^
An expression is arithmetic on numbers, names and calls of functions.

=+ a face at an unknown value
conditions: {start: {where: t = zero, equation: u = 0}}
--
spec.yaml:4:33: unknown name 'zero' in condition 'start'
   4 | conditions: {start: {where: t = zero, equation: u = 0}}
     |                                 ^^^^
Known here: pi, e.

=+ a condition without an unknown
conditions: {start: {where: t = 0, equation: x = 0}}
--
spec.yaml:4:46: condition 'start' contains no unknown
   4 | conditions: {start: {where: t = 0, equation: x = 0}}
     |                                              ^^^^^
Unknowns: u.

=+ the second equation of a condition
conditions: {start: {where: t = 0, equation: [u = 0, u_t = v]}}
--
spec.yaml:4:60: unknown name 'v' in condition 'start'
   4 | conditions: {start: {where: t = 0, equation: [u = 0, u_t = v]}}
     |                                                            ^
Known here: u, x, t, pi, e.

=+ a grid that is too large
evaluation: {grid: {x: 10000, t: 10000}}
--
spec.yaml:4:14: the evaluation grid has 100,000,000 points
   4 | evaluation: {grid: {x: 10000, t: 10000}}
     |              ^^^^
The limit is 5,000,000.

=+ a grid along no coordinate
evaluation: {grid: {y: 100}}
--
spec.yaml:4:21: 'y' is not a coordinate
   4 | evaluation: {grid: {y: 100}}
     |                     ^
Coordinates: x, t.

=+ a time outside
evaluation: {times: [0.5, 2]}
--
spec.yaml:4:27: the time 2 lies outside [0, 1]
   4 | evaluation: {times: [0.5, 2]}
     |                           ^

=+ a reference without its solution
reference: exact
--
spec.yaml:4:1: the reference 'exact' lacks the key 'exact'
   4 | reference: exact
     | ^^^^^^^^^
As in reference: {exact: {u: sin(pi*x)}}.

=+ a reference without its file
reference: file
--
spec.yaml:4:1: the reference 'file' lacks the key 'file'
   4 | reference: file
     | ^^^^^^^^^
As in reference: {file: u.npz}.

=+ a reference with another's key
reference: {kind: hopf-cole, exact: {u: x}}
--
spec.yaml:4:30: the reference 'hopf-cole' takes no 'exact'
   4 | reference: {kind: hopf-cole, exact: {u: x}}
     |                              ^^^^^

=+ two references
reference: {exact: {u: x}, file: a.csv}
--
spec.yaml:4:28: the reference 'exact' takes no 'file'
   4 | reference: {exact: {u: x}, file: a.csv}
     |                            ^^^^

=+ a solution of no unknown
reference: {exact: {u: x, w: t}}
--
spec.yaml:4:27: 'w' is not an unknown
   4 | reference: {exact: {u: x, w: t}}
     |                           ^
Unknowns: u.

=+ a solution that contains the unknown
reference: {exact: {u: u_x}}
--
spec.yaml:4:24: the reference of 'u' contains an unknown
   4 | reference: {exact: {u: u_x}}
     |                        ^^^
A reference is a function of the coordinates.

=+ an equation for a solution
reference: {exact: {u: u = x}}
--
spec.yaml:4:26: an equation stands where a value is expected in the reference of 'u'
   4 | reference: {exact: {u: u = x}}
     |                          ^
Write the value alone.

=+ a reference that is not there
reference: {file: there-is-none.csv}
--
spec.yaml:4:19: there is no file there-is-none.csv
   4 | reference: {file: there-is-none.csv}
     |                   ^^^^^^^^^^^^^^^^^
reference: none trains without one.

=+ names without a file
reference: {exact: {u: x}, names: {u: w}}
--
spec.yaml:4:28: the reference 'exact' takes no 'names'
   4 | reference: {exact: {u: x}, names: {u: w}}
     |                            ^^^^^

=+ data from two sources
data: {target: {u: x}, points: 3, file: a.csv}
--
spec.yaml:4:1: 'data' has one of target, reference and file
   4 | data: {target: {u: x}, points: 3, file: a.csv}
     | ^^^^
As in data: {target: {u: sin(x)}, points: 300}.

=+ data from nowhere
data: {points: 3}
--
spec.yaml:4:1: 'data' has one of target, reference and file
   4 | data: {points: 3}
     | ^^^^
As in data: {target: {u: sin(x)}, points: 300}.

=+ data without a number of points
data: {target: {u: x}}
--
spec.yaml:4:1: 'data' lacks the key 'points'
   4 | data: {target: {u: x}}
     | ^^^^
How many points are the values sampled at?

=+ data on no unknown
data: {target: {w: x}, points: 3}
--
spec.yaml:4:17: 'w' is not an unknown
   4 | data: {target: {w: x}, points: 3}
     |                 ^
Unknowns: u.

=+ data that contain the unknown
data: {target: {u: u_x}, points: 3}
--
spec.yaml:4:20: the target of 'u' contains an unknown
   4 | data: {target: {u: u_x}, points: 3}
     |                    ^^^
A target is a function of the coordinates.

=+ data that are not there
data: {file: there-is-none.csv}
--
spec.yaml:4:14: there is no file there-is-none.csv
   4 | data: {file: there-is-none.csv}
     |              ^^^^^^^^^^^^^^^^^

=+ data of another format
data: {file: numbers.xlsx}
--
spec.yaml:4:14: numbers.xlsx is none of .npz, .h5, .hdf5, .mat, .csv, .tsv, .txt, .dat
   4 | data: {file: numbers.xlsx}
     |              ^^^^^^^^^^^^

=+ data with a file and points
data: {file: none.csv, points: 3, sampler: grid}
--
spec.yaml:4:14: there is no file none.csv
   4 | data: {file: none.csv, points: 3, sampler: grid}
     |              ^^^^^^^^

spec.yaml:4:24: data with a file takes no 'points'
   4 | data: {file: none.csv, points: 3, sampler: grid}
     |                        ^^^^^^
Keys: file, names, columns, fields, weights, weight.

spec.yaml:4:35: data with a file takes no 'sampler'
   4 | data: {file: none.csv, points: 3, sampler: grid}
     |                                   ^^^^^^^
Keys: file, names, columns, fields, weights, weight.

=+ a target and names
data: {target: {u: x}, points: 3, names: {u: w}}
--
spec.yaml:4:35: data with a target takes no 'names'
   4 | data: {target: {u: x}, points: 3, names: {u: w}}
     |                                   ^^^^^
Keys: target, points, sampler, noise, weight.

=+ a name for nothing in a file
data: {file: a.csv, names: {q: b}}
--
spec.yaml:4:14: there is no file a.csv
   4 | data: {file: a.csv, names: {q: b}}
     |              ^^^^^

spec.yaml:4:29: 'q' is not read from the file
   4 | data: {file: a.csv, names: {q: b}}
     |                             ^
What is read: x, t, u.
"""

WHOLE = r"""
== no coordinates
unknowns: [u]
equations: {heat: u_t = u_xx}
--
spec.yaml:1:1: missing key 'coordinates'
   1 | unknowns: [u]
     | ^
As in coordinates: {x: [-1, 1], t: [0, 1]}.

== neither coordinates nor unknowns
title: nothing yet
--
spec.yaml:1:1: missing key 'coordinates'
   1 | title: nothing yet
     | ^
As in coordinates: {x: [-1, 1], t: [0, 1]}.

spec.yaml:1:1: missing key 'unknowns'
   1 | title: nothing yet
     | ^
As in unknowns: [u].

== both misspelt
coordinats: {x: [0, 1]}
unknown: [u]
equations: {a: u_x = 0}
--
spec.yaml:1:1: unknown key 'coordinats'
   1 | coordinats: {x: [0, 1]}
     | ^^^^^^^^^^
Did you mean 'coordinates'?

spec.yaml:2:1: unknown key 'unknown'
   2 | unknown: [u]
     | ^^^^^^^
Did you mean 'unknowns'?

== no equations
coordinates: {x: [0, 1]}
unknowns: [u]
--
spec.yaml:1:1: a spec has 'equations' or 'data', and this one has neither
   1 | coordinates: {x: [0, 1]}
     | ^
As in equations: {heat: u_t = u_xx}.

spec.yaml:2:12: no equation, condition or data speaks of the unknown 'u'
   2 | unknowns: [u]
     |            ^

== two keys twice
coordinates: {x: [0, 1], x: [0, 2]}
unknowns: [u]
unknowns: [v]
--
spec.yaml:1:26: the key 'x' stands here twice
   1 | coordinates: {x: [0, 1], x: [0, 2]}
     |                          ^
First on line 1.

spec.yaml:3:1: the key 'unknowns' stands here twice
   3 | unknowns: [v]
     | ^^^^^^^^
First on line 2.

== a word for the unknowns
coordinates: {x: [0, 1]}
unknowns: u
equations: {a: u_x = 0}
--
spec.yaml:2:11: 'unknowns' is a list, not 'u'
   2 | unknowns: u
     |           ^
As in unknowns: [u].

== no unknowns
coordinates: {x: [0, 1]}
unknowns: []
equations: {a: u_x = 0}
--
spec.yaml:2:11: 'unknowns' needs 1 or more, and has 0
   2 | unknowns: []
     |           ^
As in unknowns: [u].

== a number for an unknown
coordinates: {x: [0, 1]}
unknowns: [1]
equations: {a: u_x = 0}
--
spec.yaml:2:12: 'unknowns.0' is a name, not 1
   2 | unknowns: [1]
     |            ^

== an unknown twice
coordinates: {x: [0, 1]}
unknowns: [u, u]
equations: {a: u_x = 0}
--
spec.yaml:2:15: 'u' is already an unknown
   2 | unknowns: [u, u]
     |               ^
Choose another name.

== an unknown named like a coordinate
coordinates: {x: [0, 1]}
unknowns: [x]
equations: {q: x_x = 0}
--
spec.yaml:2:12: 'x' is already a coordinate
   2 | unknowns: [x]
     |            ^
Choose another name.

== an unknown named like a constant
coordinates: {x: [0, 1]}
unknowns: [e]
equations: {q: e_x = 0}
--
spec.yaml:2:12: 'e' is already a fixed constant
   2 | unknowns: [e]
     |            ^
Choose another name.

== an unknown with an underscore
coordinates: {x: [0, 1]}
unknowns: [u_1]
equations: {q: u_1 = 0}
--
spec.yaml:2:12: 'u_1' is not a name
   2 | unknowns: [u_1]
     |            ^^^
A name begins with a letter (A to Z, a to z); letters and digits follow, no '_'.

== a Greek unknown
coordinates: {x: [0, 1]}
unknowns: [ψ]
equations: {q: ψ_x = 0}
--
spec.yaml:2:12: 'ψ' is not a name
   2 | unknowns: [ψ]
     |            ^
A name begins with a letter (A to Z, a to z); letters and digits follow, no '_'.

== an unknown with a long name
coordinates: {x: [0, 1]}
unknowns: [uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu]
equations: {q: u_1 = 0}
--
spec.yaml:2:12: the name 'uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu' has 31 characters
   2 | unknowns: [uuuuuuuuuuuuuuuuuuuuuuuuuuuuuuu]
     |            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
The limit is 30.

== an unknown without an equation
coordinates: {x: [0, 1]}
unknowns: [u, v]
equations: {a: u_x = 1}
--
spec.yaml:2:15: no equation, condition or data speaks of the unknown 'v'
   2 | unknowns: [u, v]
     |               ^

== a list for the equations
coordinates: {x: [0, 1]}
unknowns: [u]
equations: [u_x = 0]
--
spec.yaml:3:12: 'equations' is a mapping (key: value), not a list
   3 | equations: [u_x = 0]
     |            ^
As in equations: {heat: u_t = u_xx}.

== an equation without a text
coordinates: {x: [0, 1]}
unknowns: [u]
equations:
  a:
--
spec.yaml:4:5: 'a' is an expression, not empty
   4 |   a:
     |     ^

== a list for an equation
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {a: [u_x = 0, u = 1]}
--
spec.yaml:3:16: 'a' is an expression, not a list
   3 | equations: {a: [u_x = 0, u = 1]}
     |                ^

== a number for an equation
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {a: 1}
--
spec.yaml:3:16: equation 'a' contains no unknown
   3 | equations: {a: 1}
     |                ^
Unknowns: u.

== an umlaut in a name
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {wärme: u_x = 0}
--
spec.yaml:3:13: 'wärme' is not a name
   3 | equations: {wärme: u_x = 0}
     |             ^^^^^
A name begins with a letter (A to Z, a to z); letters, digits, '-' and '_' follow.

== a blank in a name
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {my equation: u_x = 0}
--
spec.yaml:3:13: 'my equation' is not a name
   3 | equations: {my equation: u_x = 0}
     |             ^^^^^^^^^^^
A name begins with a letter (A to Z, a to z); letters, digits, '-' and '_' follow.

== a name that the program needs
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {total: u_x = 0}
--
spec.yaml:3:13: the name 'total' is reserved
   3 | equations: {total: u_x = 0}
     |             ^^^^^
Choose another name.

== a list for the coordinates
coordinates: [x, t]
unknowns: [u]
equations: {a: u_x = 0}
--
spec.yaml:1:14: 'coordinates' is a mapping (key: value), not a list
   1 | coordinates: [x, t]
     |              ^
As in coordinates: {x: [-1, 1], t: [0, 1]}.

== a single bound
coordinates: {x: [0]}
unknowns: [u]
equations: {a: u_x = 0}
--
spec.yaml:1:18: 'x' needs 2 or more, and has 1
   1 | coordinates: {x: [0]}
     |                  ^
As in x: [-1, 1].

== three bounds
coordinates: {x: [0, 1, 2]}
unknowns: [u]
equations: {a: u_x = 0}
--
spec.yaml:1:18: 'x' has more than 2
   1 | coordinates: {x: [0, 1, 2]}
     |                  ^
As in x: [-1, 1].

== bounds in the wrong order
coordinates: {x: [1, 0]}
unknowns: [u]
equations: {a: u_x = 0}
--
spec.yaml:1:18: the lower bound of 'x', 1, is not below the upper, 0
   1 | coordinates: {x: [1, 0]}
     |                  ^
Write x: [0, 1].

== an empty range
coordinates: {x: [1, 1]}
unknowns: [u]
equations: {a: u_x = 0}
--
spec.yaml:1:18: the lower bound of 'x', 1, is not below the upper, 1
   1 | coordinates: {x: [1, 1]}
     |                  ^
Write the lower bound first, as in x: [0, 1].

== a narrow range far out
coordinates: {x: [1e9, 1e9 + 1e-6]}
unknowns: [u]
equations: {a: u_x = 0}
--
spec.yaml:1:18: the range of 'x' is too narrow for its distance from 0
   1 | coordinates: {x: [1e9, 1e9 + 1e-6]}
     |                  ^

=+ faces without brackets
conditions: {c: {where: x = 0, x = 1, equation: u = 0}}
--
spec.yaml:4:32: unknown key 'x = 1' in 'c'
   4 | conditions: {c: {where: x = 0, x = 1, equation: u = 0}}
     |                                ^^^^^
Several faces stand in brackets: where: [x = 0, x = 1].

== a range too short for its derivatives
coordinates: {x: [0, 1e-300]}
unknowns: [u]
equations: {a: u_x = 0}
--
spec.yaml:1:18: the range of 'x', from 0 to 1e-300, is too narrow
   1 | coordinates: {x: [0, 1e-300]}
     |                  ^
Bounds lie within ±1e+30, at least 1e-30 apart: write the problem in other units.

== a range that no number holds
coordinates: {x: [-1e308, 1e308]}
unknowns: [u]
equations: {a: u_x = 0}
--
spec.yaml:1:18: the range of 'x', from -1e+308 to 1e+308, is too wide
   1 | coordinates: {x: [-1e308, 1e308]}
     |                  ^
Bounds lie within ±1e+30, at least 1e-30 apart: write the problem in other units.

== a misspelt bound
coordinates: {x: [0, lenght]}
unknowns: [u]
constants: {length: 2}
equations: {a: u_x = 0}
--
spec.yaml:1:22: unknown name 'lenght' in the bounds of 'x'
   1 | coordinates: {x: [0, lenght]}
     |                      ^^^^^^
Did you mean 'length'?

== too many coordinates
coordinates: {a: [0, 1], b: [0, 1], c: [0, 1], d: [0, 1], f: [0, 1], g: [0, 1], h: [0, 1]}
unknowns: [u]
equations: {q: u_a = 0}
--
spec.yaml:1:14: 'coordinates' has more than 6
   1 | coordinates: {a: [0, 1], b: [0, 1], c: [0, 1], d: [0, 1], f: [0, 1], g: [0, 1], h: [0, 1]}
     |              ^
As in coordinates: {x: [-1, 1], t: [0, 1]}.

== coordinates that cannot be told apart
coordinates: {x: [0, 1], y: [0, 1], xy: [0, 1]}
unknowns: [u]
equations: {q: u_x = 0}
--
spec.yaml:1:37: the coordinate 'xy' is made of the names of others
   1 | coordinates: {x: [0, 1], y: [0, 1], xy: [0, 1]}
     |                                     ^^
The names of derivatives could not be told apart.

== a derivative along no coordinate
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations:
  heat: u_t = u_xy
--
spec.yaml:4:15: unknown derivative 'u_xy' in equation 'heat'
   4 |   heat: u_t = u_xy
     |               ^^^^
'y' is not a coordinate of this problem (coordinates: x, t). Did you mean 'u_xx'?

== D along no coordinate
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations:
  heat: u_t = D(u, z)
--
spec.yaml:4:20: 'z' is not a coordinate in equation 'heat'
   4 |   heat: u_t = D(u, z)
     |                    ^
D differentiates along coordinates: x, t.

== a misspelt constant
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
constants: {kappa: 1}
equations:
  heat: u_t = kapa*u_xx
--
spec.yaml:5:15: unknown name 'kapa' in equation 'heat'
   5 |   heat: u_t = kapa*u_xx
     |               ^^^^
Did you mean 'kappa'?

== an equation without an unknown
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations:
  heat: x = t
--
spec.yaml:4:9: equation 'heat' contains no unknown
   4 |   heat: x = t
     |         ^^^^^
Unknowns: u.

== an equation in quotes
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations:
  heat: 'u_t = u_xy'
--
spec.yaml:4:16: unknown derivative 'u_xy' in equation 'heat'
   4 |   heat: 'u_t = u_xy'
     |                ^^^^
'y' is not a coordinate of this problem (coordinates: x, t). Did you mean 'u_xx'?

== an equation with an escape
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations:
  heat: "u_t\x20= u_xy"
--
spec.yaml:4:9: unknown derivative 'u_xy' in equation 'heat'
   4 |   heat: "u_t\x20= u_xy"
     |         ^^^^^^^^^^^^^^^
'y' is not a coordinate of this problem (coordinates: x, t). Did you mean 'u_xx'?

== an equation on folded lines
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations:
  heat: >-
    u_t
    = u_xy
--
spec.yaml:6:7: unknown derivative 'u_xy' in equation 'heat'
   6 |     = u_xy
     |       ^^^^
'y' is not a coordinate of this problem (coordinates: x, t). Did you mean 'u_xx'?

== an equation on kept lines
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations:
  heat: |
    u_t = u_xx
      + u_xy + u_z
--
spec.yaml:6:9: unknown derivative 'u_xy' in equation 'heat'
   6 |       + u_xy + u_z
     |         ^^^^
'y' is not a coordinate of this problem (coordinates: x, t). Did you mean 'u_xx'?

spec.yaml:6:16: unknown derivative 'u_z' in equation 'heat'
   6 |       + u_xy + u_z
     |                ^^^
'z' is not a coordinate of this problem (coordinates: x, t). Did you mean 'u_x'?

== an equation on bare lines
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations:
  heat: u_t =
    u_xx
    + u_xy
--
spec.yaml:6:7: unknown derivative 'u_xy' in equation 'heat'
   6 |     + u_xy
     |       ^^^^
'y' is not a coordinate of this problem (coordinates: x, t). Did you mean 'u_xx'?

== no space for a boundary
coordinates: {t: [0, 1]}
unknowns: [u]
equations: {a: u_t = -u}
conditions: {b: {where: boundary, equation: u = 1}}
--
spec.yaml:4:25: 'boundary' means the faces in space, and there is no coordinate of space
   4 | conditions: {b: {where: boundary, equation: u = 1}}
     |                         ^^^^^^^^

== no space for a Laplacian
coordinates: {t: [0, 1]}
unknowns: [u]
equations: {a: u_t = laplacian(u)}
--
spec.yaml:3:22: laplacian needs a coordinate of space in equation 'a'
   3 | equations: {a: u_t = laplacian(u)}
     |                      ^^^^^^^^^^^^
Coordinates: t.

== times without time
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {a: u_x = 1}
evaluation: {times: [0.5]}
--
spec.yaml:4:14: 'times' needs a coordinate named 't'
   4 | evaluation: {times: [0.5]}
     |              ^^^^^
Coordinates: x.

== elu and a fourth derivative
coordinates: {x: [0, 1]}
unknowns: [u]
equations: {beam: u_xxxx = 1}
network: {activation: elu}
conditions: {ends: {where: boundary, equation: [u = 0, u_x = 0]}}
--
spec.yaml:4:23: 'elu' does not suit the equation 'beam' of order 4
   4 | network: {activation: elu}
     |                       ^^^
Its second derivative jumps at 0 and its third does not exist there. Choices: tanh, sin, sigmoid, silu, gelu, softplus.

== a solution that lacks an unknown
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u, v]
equations: {a: u_t = v_x, b: v_t = u_x}
reference: {exact: {u: x}}
--
spec.yaml:4:13: the reference lacks the unknown 'v'
   4 | reference: {exact: {u: x}}
     |             ^^^^^

== one wrong coordinate gives rise to no other fault
coordinates: {x: 1, t: [0, 1]}
unknowns: [u]
equations: {heat: u_t = u_xx}
--
spec.yaml:1:18: 'x' is a list, not 1
   1 | coordinates: {x: 1, t: [0, 1]}
     |                  ^
As in x: [-1, 1].

== wrong constants give rise to no other fault
coordinates: {x: [0, L], t: [0, 1]}
unknowns: [u]
constants: {L: [1], my_k: 2}
equations: {heat: u_t = L*u_xx}
weights: {equations: {heat: 2}}
--
spec.yaml:3:16: 'L' is an expression, not a list
   3 | constants: {L: [1], my_k: 2}
     |                ^

spec.yaml:3:21: 'my_k' is not a name
   3 | constants: {L: [1], my_k: 2}
     |                     ^^^^
A name begins with a letter (A to Z, a to z); letters and digits follow, no '_'.

== a comma in braces
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {a: u_t = D(u, x)}
--
spec.yaml:3:16: the comma after 'u_t = D(u' tears a value apart
   3 | equations: {a: u_t = D(u, x)}
     |                ^^^^^^^^^
In {…} and […] a comma ends the value: put it in quotes.

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
--
spec.yaml:1:18: the lower bound of 'x', 1, is not below the upper, 0
   1 | coordinates: {x: [1, 0], t: [0, 1]}
     |                  ^
Write x: [0, 1].

spec.yaml:3:1: unknown key 'equatoins'
   3 | equatoins: {heat: u_t = u_xx}
     | ^^^^^^^^^
Did you mean 'equations'?

spec.yaml:5:15: unknown name 'kappa' in equation 'heat'
   5 |   heat: u_t = kappa*u_xy
     |               ^^^^^
Known here: u, x, t, pi, e.

spec.yaml:5:21: unknown derivative 'u_xy' in equation 'heat'
   5 |   heat: u_t = kappa*u_xy
     |                     ^^^^
'y' is not a coordinate of this problem (coordinates: x, t). Did you mean 'u_xx'?

spec.yaml:7:18: 't = 5' is not a face of the domain
   7 |   start: {where: t = 5, equation: x = 0}
     |                  ^^^^^
Faces: x = 0, x = 1, t = 0, t = 1; or boundary.

spec.yaml:7:35: condition 'start' contains no unknown
   7 |   start: {where: t = 5, equation: x = 0}
     |                                   ^^^^^
Unknowns: u.

spec.yaml:8:23: 'tahn' is not a choice for 'activation'
   8 | network: {activation: tahn}
     |                       ^^^^
Did you mean 'tanh'?

spec.yaml:10:18: 'iterations' must be a whole number, not 'yes'
  10 |   - {iterations: yes}
     |                  ^^^
"""

YAML = r"""
== nothing

--
spec.yaml is empty
`problems('burgers')` > my.yaml starts a new spec.

== a comment
# nothing
--
spec.yaml is empty
`problems('burgers')` > my.yaml starts a new spec.

== null
~
--
spec.yaml is empty
`problems('burgers')` > my.yaml starts a new spec.

== a list
- a
- b
--
spec.yaml:1:1: a spec is a mapping of keys to values
   1 | - a
     | ^
As in: unknowns: [u].

== a word
hello
--
spec.yaml:1:1: a spec is a mapping of keys to values
   1 | hello
     | ^^^^^
As in: unknowns: [u].

== a key that is a list
[a, b]: 3
--
spec.yaml:1:1: a key is a word, not a list or a mapping
   1 | [a, b]: 3
     | ^

=+ a second document
---
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {heat: u_t = u_xx}
--
spec.yaml:5:1: a spec is one document, and here a second begins
   5 | coordinates: {x: [0, 1], t: [0, 1]}
     | ^

== text after the end
{coordinates: {x: [0, 1]}} seed: 1
--
spec.yaml:1:28: this does not line up with what stands above it
   1 | {coordinates: {x: [0, 1]}} seed: 1
     |                            ^
Keys of one mapping begin in one column.

== an open bracket
coordinates: {x: [0, 1}
unknowns: [u]
--
spec.yaml:1:23: a ']' or ',' is missing before this
   1 | coordinates: {x: [0, 1}
     |                       ^

== an open brace
coordinates: {x: [0, 1]
unknowns: [u]
--
spec.yaml:2:1: a '}' or ',' is missing before this
   2 | unknowns: [u]
     | ^
The '{' stands on line 1.

== an open brace at the end
coordinates: {x: [0, 1]}
unknowns: [u]
network: {hidden: [20, 20]
--
spec.yaml:3:10: this '{' is never closed
   3 | network: {hidden: [20, 20]
     |          ^

== a bracket too many
coordinates: {x: [0, 1]]}
unknowns: [u]
--
spec.yaml:1:24: a '}' or ',' is missing before this
   1 | coordinates: {x: [0, 1]]}
     |                        ^

=+ an open quote
title: "Heat
--
spec.yaml:4:8: this quote is never closed
   4 | title: "Heat
     |        ^^^^^

=+ an unknown escape
conditions: {c: {where: x = 0, equation: "u = sin(\pi)"}}
--
spec.yaml:4:52: a backslash has a meaning of its own in double quotes
   4 | conditions: {c: {where: x = 0, equation: "u = sin(\pi)"}}
     |                                                    ^
Use single quotes.

== no colon
coordinates: {x: [0, 1]}
unknowns [u]
equations: {a: u_x = 0}
--
spec.yaml:2:1: a ':' is missing after a key
   2 | unknowns [u]
     | ^^^^^^^^^^^^
Write 'key: value', with a space after the colon.

== no colon at the end
coordinates: {x: [0, 1]}
unknowns [u]
--
spec.yaml:2:1: a ':' is missing after a key
   2 | unknowns [u]
     | ^^^^^^^^^^^^
Write 'key: value', with a space after the colon.

== no blank after a colon
coordinates:{x: [0, 1]}
unknowns: [u]
--
spec.yaml:1:12: a space is missing after this ':'
   1 | coordinates:{x: [0, 1]}
     |            ^
Write 'key: value'.

== a colon in a text
coordinates: {x: [0, 1]}
unknowns: [u]
title: Heat: a study
--
spec.yaml:3:12: a colon is not expected here
   3 | title: Heat: a study
     |            ^
A text that has a colon stands in quotes; a key begins in the column of its neighbours.

== a key too far right
coordinates: {x: [0, 1]}
 unknowns: [u]
--
spec.yaml:2:2: this does not line up with what stands above it
   2 |  unknowns: [u]
     |  ^
Keys of one mapping begin in one column.

=+ a key too far left
network:
   hidden: [20]
  activation: tanh
--
spec.yaml:6:3: this does not line up with what stands above it
   6 |   activation: tanh
     |   ^
Keys of one mapping begin in one column.

=+ a value and keys below it
network:
  hidden: 20
    activation: tanh
--
spec.yaml:6:15: a colon is not expected here
   6 |     activation: tanh
     |               ^
A text that has a colon stands in quotes; a key begins in the column of its neighbours.

=+ a list on the line of its key
training: - {iterations: 10}
--
spec.yaml:4:11: a '-' is not expected here
   4 | training: - {iterations: 10}
     |           ^
Each item stands on its own line.

== an anchor
coordinates: &c {x: [0, 1]}
unknowns: [u]
--
spec.yaml:1:14: anchors and aliases (& and *) are not read
   1 | coordinates: &c {x: [0, 1]}
     |              ^^
Write the value out.

== an alias
coordinates: {x: [0, 1]}
unknowns: *c
--
spec.yaml:2:11: anchors and aliases (& and *) are not read
   2 | unknowns: *c
     |           ^^
Write the value out.

=+ a star
title: * x
--
spec.yaml:4:8: anchors and aliases (& and *) are not read
   4 | title: * x
     |        ^^^
Write the value out.

== a merge key
coordinates: {x: [0, 1]}
unknowns: [u]
<<: {seed: 1}
--
spec.yaml:3:1: unknown key '<<'
   3 | <<: {seed: 1}
     | ^^
Keys: coordinates, unknowns, constants, learn, functions, periodic, transform, equations, conditions, data, title, source, points, network, slopes, weights, training, checkpoint, reference, evaluation, seed, dtype, device.

== a tag that would run a command
coordinates: !!python/object/apply:os.system [echo hacked]
--
spec.yaml:1:14: tags (words that begin with '!') are not read
   1 | coordinates: !!python/object/apply:os.system [echo hacked]
     |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
Write the value alone.

== a tag of Python at the top
!!python/object:os.system {}
--
spec.yaml:1:1: tags (words that begin with '!') are not read
   1 | !!python/object:os.system {}
     | ^^^^^^^^^^^^^^^^^^^^^^^^^
Write the value alone.

=+ a harmless tag
title: !!str 3
--
spec.yaml:4:8: tags (words that begin with '!') are not read
   4 | title: !!str 3
     |        ^^^^^
Write the value alone.

=+ a tag without a meaning
title: !foo!bar 3
--
spec.yaml:4:8: tags (words that begin with '!') are not read
   4 | title: !foo!bar 3
     |        ^
Write the value alone.

== a directive
%FOO
coordinates: {x: [0, 1], t: [0, 1]}
unknowns: [u]
equations: {heat: u_t = u_xx}
--
spec.yaml:2:1: this stands outside of the spec
   2 | coordinates: {x: [0, 1], t: [0, 1]}
     | ^
A spec is one mapping, without directives (%).

=+ an escape beyond Unicode
title: "a\U00110000"
--
spec.yaml:4:10: the escape \U00110000 stands for no character
   4 | title: "a\U00110000"
     |          ^^^^^^^^^^
Leave out the escape.

=+ an escape beyond what a machine counts
title: "a\Uffffffff"
--
spec.yaml:4:10: the escape \Uffffffff stands for no character
   4 | title: "a\Uffffffff"
     |          ^^^^^^^^^^
Leave out the escape.

=+ a percent sign
title: %x
--
spec.yaml:4:8: a value cannot begin with '%'
   4 | title: %x
     |        ^
Put it in quotes.

=+ an at sign
title: @x
--
spec.yaml:4:8: a value cannot begin with '@'
   4 | title: @x
     |        ^
Put it in quotes.

=+ bars
conditions:
  c:
    where: x = 0
    equation: |u| = 1
--
spec.yaml:7:15: a value cannot begin with '|' or '>'
   7 |     equation: |u| = 1
     |               ^^^^^^^
Put it in quotes.

=+ no value between commas
network: {hidden: [,]}
--
spec.yaml:4:20: a value is missing here
   4 | network: {hidden: [,]}
     |                    ^

=+ brackets in each other
title: [[[[[[[[[[[[[]]]]]]]]]]]]]
--
spec.yaml:4:19: nested more than 12 levels deep
   4 | title: [[[[[[[[[[[[[]]]]]]]]]]]]]
     |                   ^
"""

OVERRIDES = r"""
=+ no value

--set network.hidden
--
command line:1:7: --set takes PATH=VALUE
   1 | --set network.hidden
     |       ^^^^^^^^^^^^^^
As in --set network.hidden=[50,50].

=+ no path

--set =3
--
command line:1:7: --set takes PATH=VALUE
   1 | --set =3
     |       ^^
As in --set network.hidden=[50,50].

=+ two dots

--set network..hidden=3
--
command line:1:7: --set takes PATH=VALUE
   1 | --set network..hidden=3
     |       ^^^^^^^^^^^^^^^^^
As in --set network.hidden=[50,50].

=+ a key that is none

--set netwrok.hidden=[20]
--
command line:1:7: unknown key 'netwrok'
   1 | --set netwrok.hidden=[20]
     |       ^^^^^^^^^^^^^^
Did you mean 'network'?

=+ a wrong form

--set network.hidden=20
--
command line:1:22: 'hidden' is a list, not 20
   1 | --set network.hidden=20
     |                      ^^
As in hidden: [20, 20].

=+ an index too far
training: [{iterations: 3}]
--set training.1.iterations=5
--
command line:1:7: 'training' is a list without an item '1'
   1 | --set training.1.iterations=5
     |       ^^^^^^^^^^^^^^^^^^^^^
It has training.0.

=+ a word for an index
training: [{iterations: 3}]
--set training.first.iterations=5
--
command line:1:7: 'training' is a list without an item 'first'
   1 | --set training.first.iterations=5
     |       ^^^^^^^^^^^^^^^^^^^^^^^^^
It has training.0.

=+ a negative index
training: [{iterations: 3}]
--set training.-1.iterations=5
--
command line:1:7: 'training' is a list without an item '-1'
   1 | --set training.-1.iterations=5
     |       ^^^^^^^^^^^^^^^^^^^^^^
It has training.0.

=+ an index of no list

--set network.hidden.0=many
--
command line:1:24: 'hidden.0' must be a whole number, not 'many'
   1 | --set network.hidden.0=many
     |                        ^^^^

=+ an index too far in an empty list
training: []
--set training.2.iterations=5
--
command line:1:7: 'training' is a list without an item '2'
   1 | --set training.2.iterations=5
     |       ^^^^^^^^^^^^^^^^^^^^^
It is empty.

spec.yaml:4:11: 'training' needs 1 or more, and has 0
   4 | training: []
     |           ^
As in training: [{optimizer: adam, iterations: 2000}].

=+ an index too far in numbers
network: {hidden: [20, 20]}
--set network.hidden.5=10
--
command line:1:7: 'network.hidden' is a list without an item '5'
   1 | --set network.hidden.5=10
     |       ^^^^^^^^^^^^^^^^
It has network.hidden.0 to network.hidden.1.

=+ a fraction
training: [{iterations: 3}]
--set training.0.iterations=1e3
--
command line:1:29: 'iterations' must be a whole number, not 1000.0
   1 | --set training.0.iterations=1e3
     |                             ^^^
Write 1000.

=+ an open bracket

--set network.hidden=[20
--
command line:1:22: this '[' is never closed
   1 | --set network.hidden=[20
     |                      ^

=+ an empty value

--set seed=
--
command line:1:11: 'seed' must be a whole number, not empty
   1 | --set seed=
     |           ^

=+ below a text
title: hello
--set title.x=3
--
spec.yaml:4:8: 'title' is text, not a mapping
   4 | title: hello
     |        ^^^^^

=+ an expression

--set equations.heat=u_t = u_xy
--
command line:1:28: unknown derivative 'u_xy' in equation 'heat'
   1 | --set equations.heat=u_t = u_xy
     |                            ^^^^
'y' is not a coordinate of this problem (coordinates: x, t). Did you mean 'u_xx'?

=+ a constant

--set constants.nu=1/0
--
command line:1:20: division by zero in constant 'nu'
   1 | --set constants.nu=1/0
     |                    ^^^

=+ a tag

--set title=!!python/object/apply:os.system [x]
--
command line:1:13: tags (words that begin with '!') are not read
   1 | --set title=!!python/object/apply:os.system [x]
     |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
Write the value alone.

=+ too many steps

--set a.a.a.a.a.a.a.a.a.a.a.a.a=1
--
command line:1:7: the path of --set has more than 12 steps
   1 | --set a.a.a.a.a.a.a.a.a.a.a.a.a=1
     |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^

=+ two assignments
seed: x
--set dtype=half
--set device=gpu
--
command line:1:13: 'half' is not a choice for 'dtype'
   1 | --set dtype=half
     |             ^^^^
Choices: float32, float64.

command line:1:14: 'gpu' is not a choice for 'device'
   1 | --set device=gpu
     |              ^^^
Did you mean 'cuda'?

spec.yaml:4:7: 'seed' must be a whole number, not 'x'
   4 | seed: x
     |       ^
"""


@pytest.mark.parametrize(
    ("yaml", "assignments", "expected"), cases(FORM, MEANING, WHOLE, YAML, OVERRIDES)
)
def test_complete_message(
    yaml: str, assignments: list[str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "system", lambda _: pytest.fail("a command was run"))
    assert message(yaml, assignments) == expected


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
NOT_BURGERS = "the equation 'momentum' is not of the form; it needs u_t + u*u_x = nu*u_xx with a constant nu > 0"

# Each: what is changed in BURGERS, into what, and why Hopf-Cole does not apply to it.
NOT_HOPF_COLE = {
    "a variable viscosity": ("= nu*u_xx", "= nu*x*u_xx", NOT_BURGERS),
    "another sign": ("+ u*u_x", "- u*u_x", NOT_BURGERS),
    "no advection": ("+ u*u_x", "+ u_x", NOT_BURGERS),
    "a source": ("= nu*u_xx", "= nu*u_xx + sin(x)", NOT_BURGERS),
    "a wall that moves": ("equation: u = 0", "equation: u = 1", "the condition 'walls' is another than u = 0; it needs that on both walls"),
    "a wall without friction": ("equation: u = 0", "equation: u_x = 0", "the condition 'walls' is another than u = 0; it needs that on both walls"),
    "a single wall": ("boundary", "x = 1", "no condition stands on x = -1; it needs u = 0 on both walls"),
    "initial values that jump at the walls": ("-sin(pi*x)", "cos(pi*x)", "the initial values at the walls are -1 and -1; it needs 0 there"),
    "initial values with a kink": ("-sin(pi*x)", "abs(x) - 1", "the initial values are not smooth; it needs values whose Chebyshev series converges to rounding"),
    "initial values of the square": ("u = -sin(pi*x)", "u**2 = 1 - x**2", "the condition 'initial' does not give u itself; it needs u = f(x) at the start"),
    "no initial values": ("where: t = 0", "at: {t: 0.5}", "0 conditions stand on t = 0; it needs one, of one equation"),
    "two unknowns": ("unknowns: [u]\n", "unknowns: [u, v]\ndata: {target: {v: x}, points: 9}\n", "there are 2 unknowns and 1 equations; it needs one of each"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "why"), NOT_HOPF_COLE.values(), ids=NOT_HOPF_COLE)
def test_hopf_cole_says_why_it_does_not_apply(old: str, new: str, why: str) -> None:
    assert old in BURGERS
    yaml = BURGERS.replace(old, new)
    expected = f"""\
spec.yaml:{yaml.count(chr(10))}:12: Hopf-Cole does not apply: {why}
   {yaml.count(chr(10))} | reference: hopf-cole
     |            ^^^^^^^^^
reference: none trains without one."""
    assert message(yaml) == expected


CHARACTERS = {
    "a tab for an indent": (
        "coordinates:\n\tx: [0, 1]\n",
        "spec.yaml:2:1: a tab cannot stand here\n   2 |  x: [0, 1]\n     | ^\nWrite spaces.",
    ),
    "a tab before a value": (
        "coordinates: {x:\t[0, 1]}\n",
        "spec.yaml:1:17: a tab cannot stand here\n   1 | coordinates: {x: [0, 1]}\n     |                 ^\nWrite spaces.",
    ),
    "a null": (
        START + "title: a\0b\n",
        "spec.yaml:4:9: the character '\\x00' cannot stand in a YAML file\n   4 | title: a\ufffdb\n     |         ^",
    ),
    "an escape": (
        START + "title: \x1b[31m\n",
        "spec.yaml:4:8: the character '\\x1b' cannot stand in a YAML file\n   4 | title: \ufffd[31m\n     |        ^",
    ),
    "half a character": (
        START + "title: \ud800\n",
        "spec.yaml:4:8: the character '\\ud800' cannot stand in a YAML file\n   4 | title: \ufffd\n     |        ^",
    ),
    "a mark that turns the writing around": (
        START + "seed: \u202e1\n",
        "spec.yaml:4:7: 'seed' must be a whole number, not '\ufffd1'\n   4 | seed: \ufffd1\n     |       ^^",
    ),
    "line ends of other systems": (
        START.replace("\n", "\r\n") + "title: a\r\rseed: x\r\n",
        "spec.yaml:6:7: 'seed' must be a whole number, not 'x'\n   6 | seed: x\n     |       ^",
    ),
    "line ends of Unicode": (
        START + "title: a\u2028seed: x\n",
        "spec.yaml:5:7: 'seed' must be a whole number, not 'x'\n   5 | seed: x\n     |       ^",
    ),
    "letters beyond the basic plane": (
        START + "title: 😀\nnetwork: {activation: 😀}\n" + CONDITIONS,
        "spec.yaml:5:23: '😀' is not a choice for 'activation'\n   5 | network: {activation: 😀}\n     |                       ^^\n"
        "Choices: tanh, sin, sigmoid, silu, gelu, softplus, relu, leaky-relu, elu.",
    ),
    "a no-break space in an equation": (
        START.replace("u_t = u_xx", "u_t\xa0= u_xx"),
        "spec.yaml:3:22: the character '\\xa0' has no meaning in equation 'heat'\n"
        "   3 | equations: {heat: u_t\ufffd= u_xx}\n     |                      ^\n"
        "It looks like a space; write a plain one.",
    ),
}


@pytest.mark.parametrize(("yaml", "expected"), CHARACTERS.values(), ids=CHARACTERS)
def test_characters(yaml: str, expected: str) -> None:
    assert message(yaml) == expected


def test_the_caret_stays_visible_at_the_end_of_a_long_line() -> None:
    yaml = START.replace("u_xx", "1.0*u_xx + " * 30 + "u_xy")
    assert (
        message(yaml)
        == """\
spec.yaml:3:355: unknown derivative 'u_xy' in equation 'heat'
   3 | _xx + 1.0*u_xx + 1.0*u_xx + 1.0*u_xx + 1.0*u_xx + u_xy}
     |                                                   ^^^^
'y' is not a coordinate of this problem (coordinates: x, t). Did you mean 'u_xx'?"""
    )


def test_a_long_line_is_cut_after_the_fault() -> None:
    yaml = START.replace("u_xx", "u_xy" + " + 1.0*u_xx" * 30)
    assert (
        message(yaml)
        == """\
spec.yaml:3:25: unknown derivative 'u_xy' in equation 'heat'
   3 | equations: {heat: u_t = u_xy + 1.0*u_xx + 1.0*u_xx + 1.0*u_xx + 1.0*u_xx + 1.0*u_xx + 1.0*u_xx + 1.0
     |                         ^^^^
'y' is not a coordinate of this problem (coordinates: x, t). Did you mean 'u_xx'?"""
    )


def test_long_words_are_cut() -> None:
    assert (
        message(START + f"dtype: {'q' * 300}\n")
        == f"""\
spec.yaml:4:8: '{"q" * 60}…' is not a choice for 'dtype'
   4 | dtype: {"q" * 93}
     |        {"^" * 93}
Choices: float32, float64."""
    )


def test_very_many_faults_are_cut() -> None:
    wrong = "".join(f"  c{i}: []\n" for i in range(1000))
    text = message(f"{START}constants:\n{wrong}")
    assert text.count("is an expression, not a list") == 50
    assert text.endswith("\n\n950 more faults are not shown")
    assert message(START + "seed: 1\n" * 1000).count("the key 'seed' stands here twice") == 50


TABLES = {
    "a column that is missing": ("x,t,v\n0,0,1\n", "a.csv has no 'u'. It has: x, t, v. The key 'names' maps a name to that in the file."),
    "a misspelt column": ("x,t,uu\n0,0,1\n", "a.csv has no 'u'. Did you mean 'uu'? The key 'names' maps a name to that in the file."),
    "a word among the numbers": ("x,t,u\n0,0,1\n0,1,many\n", "line 3 of a.csv, column 3 ('u'): found 'many', expected a number"),
    "a line that is too short": ("x,t,u\n0,0,1\n0,1\n", "line 3 of a.csv: found 2 values, expected 3 with commas between them (x, t, u)"),
    "no lines": ("x,t,u\n", "a.csv has no rows"),
    "nothing": ("", "a.csv is empty"),
    "not a number": ("x,t,u\n0,0,nan\n", "line 2 of a.csv, column 3 ('u'): found nan, expected a finite number"),
    "no text": ("x,t,u\n\udcff", "a.csv cannot be read as csv: it is not text in UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "what"), TABLES.values(), ids=TABLES)
def test_data_files(
    content: str, what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.csv").write_bytes(content.encode("utf-8", "surrogateescape"))
    expected = f"spec.yaml:4:14: {what}\n   4 | data: {{file: a.csv}}\n     |              ^^^^^"
    assert message(START + "data: {file: a.csv}\n") == expected


ARRAYS = {
    "Python objects": ({"x": np.array([object()])}, "a.npz holds Python objects, which are not read"),
    "complex numbers": ({"x": np.array([1j])}, "'x' in a.npz does not hold real numbers"),
    "no values": ({"x": np.zeros(0)}, "'x' in a.npz is empty"),
    "shapes that do not fit": ({"x": np.arange(3.0), "u": np.zeros((5, 6))}, "'u' in a.npz has shape (5, 6), and its coordinates have (3, 1) values"),
    "a coordinate with two axes": ({"x": np.zeros((3, 2))}, "'x' in a.npz has shape (3, 2); a coordinate is a vector"),
}  # fmt: skip


@pytest.mark.parametrize(("arrays", "what"), ARRAYS.values(), ids=ARRAYS)
def test_data_arrays(
    arrays: dict[str, np.ndarray], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("a.npz", **({"x": np.zeros(1), "t": np.zeros(1), "u": np.zeros(1)} | arrays))
    expected = f"spec.yaml:4:14: {what}\n   4 | data: {{file: a.npz}}\n     |              ^^^^^"
    assert message(START + "data: {file: a.npz}\n") == expected


@pytest.mark.parametrize(
    "make",
    [os.mkfifo, os.mkdir, lambda path: Path(path).symlink_to("/dev/zero")],
    ids=["a pipe", "a folder", "a device"],
)
def test_data_that_are_no_file(
    make: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make("a.csv")
    expected = "spec.yaml:4:14: a.csv is not a regular file\n   4 | data: {file: a.csv}\n     |              ^^^^^"
    assert message(START + "data: {file: a.csv}\n") == expected


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
