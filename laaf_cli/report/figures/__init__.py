"""The figures of runs: read with `RunData.read`, drawn by a function for each kind, written by
`save`.
"""

from laaf_cli.report.figures.comparison import ErrorGroup, comparison_figure
from laaf_cli.report.figures.constants import constants_figure
from laaf_cli.report.figures.error import error_figure
from laaf_cli.report.figures.frequency import frequency_figure
from laaf_cli.report.figures.histories import Course, CoursePanel, courses_figure, over_seeds
from laaf_cli.report.figures.kinds import (
    KINDS,
    Drawing,
    Figures,
    Kind,
    check_kinds,
    draw,
    figures_of,
)
from laaf_cli.report.figures.loss import loss_figure
from laaf_cli.report.figures.run_data import RunData
from laaf_cli.report.figures.save import (
    check_folder,
    check_path,
    file_types,
    is_folder,
    save,
    save_together,
)
from laaf_cli.report.figures.slopes import slopes_figure
from laaf_cli.report.figures.solution import solution_figure
from laaf_cli.report.figures.spectrum import Spectrum, amplitude_spectrum
from laaf_cli.report.figures.window import require_window, show
