"""Pages that show a run, or a comparison: one HTML file that needs nothing else."""

from laaf_cli.report.page.document import bounds_of, next_name
from laaf_cli.report.page.write import check_output, write_page
