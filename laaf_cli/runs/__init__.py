"""The life of a run, in its order: plan, identity, inspection, train, record, solution,
checkpoints, resume.
"""
