"""Reports on run files of image classifications: overview, reasons for doubt, figures."""
