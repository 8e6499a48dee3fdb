"""Pages that show a run, or a comparison: one HTML file that needs nothing else."""

from laaf_cli.report.page.document import Repeat
from laaf_cli.report.page.write import check_output, write_page
