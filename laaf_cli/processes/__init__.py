"""Several processes that train one network: who they are, how they meet, and how sums go over all
of them.
"""

from laaf_cli.processes.shares import (
    check_equal,
    count,
    from_first,
    is_first,
    joined,
    mean,
    norm,
    number,
    reduced,
    share,
    total,
)
