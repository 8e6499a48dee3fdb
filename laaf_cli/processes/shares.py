"""What each process has, and what is of all of them: sums, means, what the first one has found.

Every function but those that ask who there is must be called by all processes in one order. A
process that is alone gets back what it gave, bit for bit.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor

from laaf_cli.errors import UsageError

T = TypeVar("T")


def count() -> int:
    """How many processes train one network."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def number() -> int:
    """That of this process, from 0."""
    return dist.get_rank() if count() > 1 else 0


def is_first() -> bool:
    """Whether this is the process that writes and answers."""
    return number() == 0


def share(n: int) -> slice:
    """Which of n things in a row this process has; those of all processes follow one another."""
    return slice(n * number() // count(), n * (number() + 1) // count())


def total(values: Tensor) -> Tensor:
    """The sum over all processes, the same bits in each; without a graph where they are several.

    Sums go round a ring, and so in one order for one number of processes.
    """
    if count() == 1:
        return values
    summed = values.detach().clone(memory_format=torch.contiguous_format)
    dist.all_reduce(summed)
    return summed


def mean(values: Tensor) -> Tensor:
    """The mean of what all processes have."""
    if count() == 1:
        return values.mean()
    parts = torch.stack([values.sum(), values.new_tensor(values.numel())])
    whole = total(parts)
    return whole[0] / whole[1]


def norm(values: Tensor) -> float:
    """The root of the sum of squares of what all processes have."""
    if count() == 1:
        return float(values.norm())
    return math.sqrt(float(total(values.square().sum())))


def joined(own: Tensor, n: int) -> Tensor:
    """What the processes have of n things [n, …], one after another."""
    if count() == 1:
        return own
    most = -(-n // count())
    padded = own.new_zeros(most, *own.shape[1:])
    padded[: len(own)] = own.detach()
    every = [torch.empty_like(padded) for _ in range(count())]
    dist.all_gather(every, padded)
    sizes = (n * (i + 1) // count() - n * i // count() for i in range(count()))
    return torch.cat([part[:size] for part, size in zip(every, sizes, strict=True)])


def reduced(own: Tensor, join: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """What joining the tensors of all processes two by two gives, all of one shape; log₂ as many
    rounds as there are processes.
    """
    own = own.contiguous()
    step = 1
    while step < count():
        if number() % (2 * step) == step:
            dist.send(own, number() - step)
        elif number() % (2 * step) == 0 and number() + step < count():
            other = torch.empty_like(own)
            dist.recv(other, number() + step)
            own = join(own, other).contiguous()
        step *= 2
    if count() > 1:
        dist.broadcast(own, 0)
    return own


def from_first(make: Callable[[], T]) -> T:
    """What the first process makes, in all of them; the others make nothing."""
    if count() == 1:
        return make()
    made: list[Any] = [make() if is_first() else None]
    dist.broadcast_object_list(made, 0, device=torch.device("cpu"))
    return cast("T", made[0])


def check_equal(make: Callable[[], Iterable[bytes]], complaint: str, remedy: str) -> None:
    """Compares what all processes should hold alike, by its hash.

    Args:
        make: gives what this process holds; called where they are several.
        complaint: what is wrong with one that holds something else, after its number.

    Raises:
        UsageError: in all of them, where one does.
    """
    if count() == 1:
        return
    digest = hashlib.sha256()
    for part in make():
        digest.update(part)
    own = torch.frombuffer(bytearray(digest.digest()), dtype=torch.uint8).clone()
    every = [torch.empty_like(own) for _ in range(count())]
    dist.all_gather(every, own)
    others = [i for i, one in enumerate(every) if not torch.equal(one, every[0])]
    if others:
        raise UsageError(f"process {others[0]} of {count()} (counted from 0) {complaint}\n{remedy}")
