"""The run file of an image classification: layout, record, reading."""
