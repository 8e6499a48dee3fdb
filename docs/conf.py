"""Configuration of Sphinx; builds without a network: `sphinx-build -W --keep-going -b html docs docs/_build`."""

from laaf_cli import __version__

project = "laaf"
author = "the laaf contributors"
copyright = "the laaf contributors"
release = __version__
version = __version__

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
suppress_warnings: list[str] = []

myst_enable_extensions = ["amsmath", "dollarmath"]
myst_heading_anchors = 4

smartquotes = False  # options begin with two hyphens

html_theme = "furo"
html_title = f"laaf {__version__}"
html_show_sphinx = False
