"""What run files of image classifications tell: overview, reasons for doubt, figures."""
