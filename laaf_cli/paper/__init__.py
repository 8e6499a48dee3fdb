"""Jagtap, Kawaguchi & Karniadakis, arXiv 1909.12228, sections 3.1 and 3.2: which runs, which published numbers."""

from laaf_cli.paper.artefacts import ARTEFACTS, Artefact
from laaf_cli.paper.columns import Column, Variant
from laaf_cli.paper.request import Request

__all__ = ["ARTEFACTS", "Artefact", "Column", "Request", "Variant"]
