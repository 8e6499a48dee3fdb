"""Several processes of one command on this machine, by torch's elastic launcher."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from laaf_cli.errors import ExitCode

SIGNALS = "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1"
"""What is passed on to the processes."""


def launch(n: int, arguments: Sequence[str]) -> int:
    """Runs `laaf` with these arguments in n processes, which share the processors.

    Returns:
        The exit code; they have said themselves what there is to say.
    """
    logging.disable(logging.CRITICAL)  # what there is to say the processes say
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // n)))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=n,
        run_id=f"laaf-{os.getpid()}",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="127.0.0.1",
        max_restarts=0,
        signals_to_handle=SIGNALS,
    )
    try:  # -P: this program, not a folder `laaf_cli` of the user
        elastic_launch(config, sys.executable)("-P", "-m", "laaf_cli", *arguments)
    except ChildFailedError as error:
        codes = {failure.exitcode for failure in error.failures.values()}
        return max((code for code in codes if code > 0), default=ExitCode.INTERNAL)
    except SignalException:
        return ExitCode.INTERRUPTED
    return ExitCode.OK
