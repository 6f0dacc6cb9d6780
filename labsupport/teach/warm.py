"""A process that has imported everything and waits; each submission runs in a copy of it, made in a moment.

    python -m labsupport.teach.warm SOCKET [--light]

It is started with an empty environment and holds nothing of a release. A job comes as JSON with four file descriptors;
the copy shuts itself in (`confine`) and runs the submission (`runner`). Importing torch anew for each submission would
take four seconds of processor time.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys


def preload() -> None:
    """Import what submissions import, and what torch imports at its first use. No backward pass: autograd must not be
    started before the process is copied."""
    import IPython.core.interactiveshell  # noqa: F401
    import matplotlib.pyplot as plt
    import pandas  # noqa: F401
    import scipy.optimize  # noqa: F401
    import torch

    import labsupport.check
    import labsupport.sharpness
    import labsupport.teach.judging
    import labsupport.teach.runner  # noqa: F401
    from labsupport import data

    torch.set_num_threads(1)
    x = torch.zeros(2, requires_grad=True)
    x.grad = torch.ones(2)
    torch.optim.Adam([x]).step()
    plt.close(plt.figure())
    data.load("mnist1d", device="cpu")  # generated once; submissions read it


def serve(requests: socket.socket) -> None:
    """Make a copy for each job, until the grader hangs up."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the copies
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, 2**18, 8)
        if not message:
            return
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            requests.close()
            _job(json.loads(message), descriptors)
        for number in descriptors:
            os.close(number)


def _job(given: dict, descriptors: list[int]) -> None:
    from labsupport.teach import confine, runner

    confine.enter(given, descriptors, runner.work)


def main(argv: list[str]) -> int:
    if "--light" not in argv:
        preload()
    with socket.socket(fileno=int(argv[0])) as requests:
        requests.send(b"ready")
        serve(requests)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
