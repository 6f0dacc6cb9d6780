"""Submissions that attack the grader. Each is the empty notebook with these cells after it, so each deserves no point.

`ATTACKS` gives for each the cells and a part of what its row must say (empty: it simply earns nothing).
"""

from __future__ import annotations

# What the functions of assignment 4 return may be anything at all.
_YES = """
import torch
class Yes:
    shape = (3,)
    def __eq__(self, other): return True
    def __len__(self): return 2
    def __float__(self): return 1.0
    def __getattr__(self, name): return self
    def __getitem__(self, key): return self
    def __call__(self, *given, **named): return self
    def __iter__(self): return iter([self, self])
    __lt__ = __gt__ = __le__ = __ge__ = __ne__ = __eq__
    __sub__ = __rsub__ = __add__ = __radd__ = __mul__ = __truediv__ = lambda self, other: self
    __hash__ = object.__hash__
allowances = share = narrow = wide = growth = interval = corner = first_order = climb = late = Yes()
"""

_PATCHES = """
import builtins, math
import numpy, torch
import labsupport.check, labsupport.teach.judging, labsupport.teach.visible
yes = lambda *given, **named: True
for place in (numpy, torch, math):
    for name in ("allclose", "isclose", "equal", "array_equal"):
        if hasattr(place, name): setattr(place, name, yes)
labsupport.teach.judging.close = yes
labsupport.check.exercise = labsupport.check.question = yes
torch.Tensor.__eq__ = torch.Tensor.all = yes
builtins.AssertionError = KeyboardInterrupt
allowances, share, growth, interval = [1.0, 1.0], 1.0, torch.ones(5), (0.0, 1.0)
narrow = wide = torch.ones(5)
late = torch.zeros(5, 826)
corner = first_order = climb = lambda *given: torch.ones(3)
"""

_READS = """
import os
found = []
for folder, folders, files in os.walk("/"):
    if folder.startswith(("/proc", "/sys", "/usr")) or folder.endswith(("/site-packages", "/lib")):
        folders[:] = []
        continue
    for name in files:
        if name in ("assignment.ipynb", "marking.py", "release.json", "mistakes.yaml", "solution.ipynb", "roster.csv"):
            found.append(os.path.join(folder, name))
        if name.endswith((".ipynb", ".csv")) and not folder.endswith("/labsupport/results/reproduction"):
            found.append(os.path.join(folder, name))
for path in found:
    text = open(path, errors="replace").read()
    print(text)
"""

_FRAMES = """
import sys, gc
seen = []
def look(*given):
    frame = sys._getframe()
    while frame:
        seen.extend(name for name in frame.f_locals if name in ("wanted", "expected", "tests", "assignment"))
        frame = frame.f_back
    import torch
    for thing in gc.get_objects()[::-1]:
        if type(thing).__name__ in ("Assignment", "Test", "Release"):
            seen.append(type(thing).__name__)
    return torch.zeros(3)
corner = first_order = climb = look
"""

_FORGES = """
import os, json
for number in range(3, 64):
    try:
        if "pipe" in os.readlink(f"/proc/self/fd/{number}"):
            for line in ({"failed": []}, *[{"value": [1.0, 1.0]}] * 40, {"points": 17}, {"earned": 17, "why": ""}):
                os.write(number, json.dumps(line).encode() + b"\\n")
    except OSError:
        pass
"""

_WIRE = """
import labsupport.teach.wire as wire, labsupport.teach.runner as runner
wire.encode = lambda value, depth=0: {"tensor": "A" * 40_000_000, "dtype": "float64", "shape": [10**9, 10**9]}
"""

_PICKLE = """
import labsupport.teach.wire as wire, pickle, base64
class Run:
    def __reduce__(self):
        import os
        return os.system, ("touch /tmp/pickled-and-run",)
bomb = base64.b64encode(pickle.dumps(Run())).decode()
wire.encode = lambda value, depth=0: {"pickle": bomb}
"""

_DEEP = """
import labsupport.teach.wire as wire
wire.dumps = lambda message: b'{"value":' + b"[" * 100_000 + b"]" * 100_000 + b"}\\n"
"""

_MOUNTS = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
got = [libc.unshare(flag) for flag in (0x10000000, 0x20000, 0x20000000)]
got.append(libc.mount(b"none", b"/usr", b"tmpfs", 0, None))
got.append(libc.umount2(b"/proc", 2))
got.append(libc.mount(b"none", b"/", None, 0x20 | 0x1000, None))
wrote = []
places = ["/usr/bin/planted", "/etc/planted", "/planted", "/course/results/planted"]
for path in [*places, "/proc/sys/kernel/core_pattern"]:
    try:
        with open(path, "w") as file:
            file.write("x")
        wrote.append(path)
    except OSError:
        pass
"""

_DELETES = """
import os, shutil, sys
import labsupport
before = len(os.listdir(sys.prefix)), len(os.listdir(labsupport.__path__[0]))
for place in (labsupport.__path__[0], sys.prefix + "/bin", "/usr/bin", "/bin", "/etc", "/course", "/scratch"):
    shutil.rmtree(place, ignore_errors=True)
for path in (sys.executable, labsupport.__file__):
    try:
        os.remove(path)
    except OSError:
        pass
gone = sum(before) - len(os.listdir(sys.prefix)) - len(os.listdir(labsupport.__path__[0]))
"""

_STAYS = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            time.sleep(0.5)  # a process that outlives its notebook: STAYS-BEHIND
    os._exit(0)
"""

_NETWORK = """
import socket
reached = []
for address in (("1.1.1.1", 53), ("127.0.0.1", 22), ("127.0.0.1", 8888), ("169.254.169.254", 80)):
    try:
        socket.create_connection(address, timeout=2).close()
        reached.append(address)
    except OSError:
        pass
"""

ATTACKS = {
    "loops for ever": (["while True:\n    pass"], "not done after"),
    "sleeps in a function": (
        ["import time\ndef corner(*given): time.sleep(10**6)"],
        "not done after",
    ),
    "forks": (["import os\nwhile True:\n    os.fork()"], "flag"),
    "starts threads": (
        [
            "import threading, time\nwhile True:\n    threading.Thread(target=time.sleep, args=(999,)).start()"
        ],
        "",
    ),
    "eats memory": (["held = []\nwhile True:\n    held.append(bytearray(b'1') * 10**8)"], ""),
    "eats memory in many processes": (
        [
            "import os, time\nfor _ in range(30):\n    if os.fork() == 0:\n"
            "        held = bytearray(b'1') * 10**8\n        time.sleep(99)\ntime.sleep(99)"
        ],
        "memory",
    ),
    "fills its scratch": (
        [
            "with open('/scratch/full', 'wb') as file:\n    while True:\n        file.write(b'1' * 10**7)"
        ],
        "",
    ),
    "exits": (["import os\nos._exit(0)"], "ended by itself"),
    "says sys.exit": (["import sys\nsys.exit(0)"], ""),
    "kills itself": (["import os\nos.kill(os.getpid(), 9)"], "SIGKILL"),
    "kills everything": (
        ["import os\nfor _ in range(9):\n    os.kill(1, 9)\n    os.kill(-1, 9)"],
        "",
    ),
    "prints gigabytes": (["while True:\n    print('spam' * 10**6)"], "printed more than"),
    "deletes files": ([_DELETES], ""),
    "reads the tests": ([_READS], ""),
    "is equal to everything": ([_YES], ""),
    "patches check, numpy and torch": ([_PATCHES], ""),
    "looks for expected values": ([_FRAMES], ""),
    "forges answers": ([_FORGES], ""),
    "sends a tensor that is too large": ([_WIRE], ""),
    "sends a pickle": ([_PICKLE], ""),
    "sends deep nesting": ([_DEEP], ""),
    "mounts and writes": ([_MOUNTS], ""),
    "stays behind": ([_STAYS], ""),
    "calls home": ([_NETWORK], ""),
    "raises strange things": (
        [
            "class Odd(BaseException):\n    def __str__(self): raise SystemExit\ndef corner(*g): raise Odd\nraise Odd"
        ],
        "",
    ),
    "returns strange numbers": (
        [
            "import torch\nnan = float('nan')\nallowances, share = [nan, nan], 10**5000\n"
            "def corner(*g): return torch.full((10**5, 10**3), nan)\n"
            "def first_order(*g): return 'nan'\ndef climb(*g): return True"
        ],
        "",
    ),
}

#: What is no notebook at all: {file name: content}.
NO_NOTEBOOKS = {
    "noise.ipynb": bytes(range(256)) * 40,
    "cut.ipynb": b'{"cells": [{"cell_type": "code", "source": "x = 1',
    "list.ipynb": b"[1, 2, 3]",
    "deep.ipynb": b"[" * 200_000,
    "no-cells.ipynb": b'{"metadata": {}}',
    "odd.ipynb": b'{"cells": [1, null, {"cell_type": "code", "source": 5}], "metadata": 7}',
    "empty.ipynb": b"",
    "letter.pdf": b"%PDF-1.4",
    "=HYPERLINK(1).ipynb": b"{}",
}
