"""Two processes on the halves of a batch are one process on the whole, to the gradient."""

import os
import socket

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn

from selfsight.gather import gather, process_rank, world_size
from selfsight.methods.simclr import nt_xent


def inputs() -> tuple[nn.Linear, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return nn.Linear(6, 4), torch.randn(8, 6), torch.randn(8, 6)


def whole_batch() -> tuple[float, torch.Tensor]:
    network, a, b = inputs()
    loss = nt_xent(network(a), network(b), temperature=0.5)
    loss.backward()
    return loss.item(), network.weight.grad


def half_batch(rank: int, port: int, folder: str) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    dist.init_process_group("gloo", rank=rank, world_size=2)
    network, a, b = inputs()
    mine = slice(4 * rank, 4 * rank + 4)
    loss = nt_xent(gather(network(a[mine])), gather(network(b[mine])), temperature=0.5)
    loss.backward()
    dist.all_reduce(network.weight.grad)
    torch.save((loss.item(), network.weight.grad / 2), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_without_a_launcher_there_is_one_process_and_gather_is_nothing() -> None:
    rows = torch.randn(3, 2)
    assert world_size() == 1
    assert process_rank() == 0
    assert gather(rows) is rows


def test_two_processes_give_the_loss_and_gradient_of_the_whole_batch(tmp_path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.start_processes(
        half_batch, args=(port, str(tmp_path)), nprocs=2, start_method="spawn", join=True
    )
    loss, gradient = whole_batch()
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert abs(found[0] - loss) < 1e-6
        torch.testing.assert_close(found[1], gradient, atol=1e-6, rtol=1e-5)
