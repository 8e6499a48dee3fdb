"""Jagtap, Kawaguchi & Karniadakis, arXiv 1909.12228, sections 3.1, 3.2 and 4: which runs, which
published numbers.
"""

from laaf_cli.paper.artefact import Artefact
from laaf_cli.paper.artefacts import ARTEFACTS
from laaf_cli.paper.columns import Column, Variant
from laaf_cli.paper.request import Request
