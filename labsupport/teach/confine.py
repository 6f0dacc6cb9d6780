"""How a submission's process is shut in, on Linux, by namespaces.

A process makes new namespaces, and its child becomes process 1 of them: it builds the small world that a
submission sees, starts the submission, and watches it. It mounts a new root with a read-only view of a few
folders and a scratch of limited size, gives the submission neither capabilities nor a way to get any, and ends
everything when the submission ends, holds too much memory, or the grader is gone. When process 1 ends, the
kernel kills whatever the submission has left behind.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path

from labsupport.teach.held import held_bytes, shared_out_bytes

_LIBC = ctypes.CDLL(None, use_errno=True)
_BIND, _REC, _PRIVATE = 0x1000, 0x4000, 1 << 18
_NOSUID, _NODEV, _NOEXEC, _DETACH = 2, 4, 8, 2
_ATTR_RDONLY, _ATTR_NOSUID, _ATTR_NODEV = 1, 2, 4
_MOUNT_SETATTR, _PIVOT_ROOT = 442, {"x86_64": 155, "aarch64": 41}
_AT_FDCWD, _AT_RECURSIVE = -100, 0x8000
_NEW_USER, _NEW_SPACES = (
    0x10000000,
    0x20000000 | 0x00020000 | 0x40000000 | 0x08000000 | 0x04000000,
)  # pid mount net ipc uts
_DUMPABLE, _DEATH_SIGNAL, _CAP_DROP, _NO_NEW_PRIVILEGES = 4, 1, 24, 38
_DEVICES = ("null", "zero", "full", "random", "urandom")
#: Seconds between two looks at the memory.
_PAUSE = 0.05


def _checked(result: int, doing: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{doing}: {os.strerror(number)}")


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    words = [None if text is None else text.encode() for text in (source, target, kind)]
    _checked(
        _LIBC.mount(*words, ctypes.c_ulong(flags), options.encode() or None), f"mount {target}"
    )


class _Attributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]


def _read_only(target: str, flags: int) -> None:
    """Make a mount and all below it read-only, whatever else they are."""
    wanted = _Attributes(flags, 0, 0, 0)
    found = _LIBC.syscall(
        _MOUNT_SETATTR,
        _AT_FDCWD,
        target.encode(),
        _AT_RECURSIVE,
        ctypes.byref(wanted),
        ctypes.sizeof(wanted),
    )
    _checked(found, f"make {target} read-only")


def build_root(root: str, visible: dict[str, str], scratch_mb: int, uid: int) -> None:
    """A new root: what is visible, bound read-only at its own path; /proc; five devices; a scratch."""
    _mount("none", "/", None, _REC | _PRIVATE)
    _mount("root", root, "tmpfs", _NOSUID | _NODEV, "size=4m,mode=755")
    os.mkdir(root + "/scratch")
    _mount(
        "scratch",
        root + "/scratch",
        "tmpfs",
        _NOSUID | _NODEV,
        f"size={scratch_mb}m,nr_inodes=20k,mode=777",
    )
    for name in ("tmp", "shm"):
        os.mkdir(f"{root}/scratch/{name}", 0o777)
        os.chmod(f"{root}/scratch/{name}", 0o777)
    os.symlink("scratch/tmp", root + "/tmp")
    for path, place in visible.items():  # after /tmp, below which a clone may lie
        _show(root, path, place)
    for name in ("proc", "dev", "etc", ".before"):
        os.makedirs(root + "/" + name, exist_ok=True)
    for name in _DEVICES:
        Path(f"{root}/dev/{name}").touch()
        _mount(f"/dev/{name}", f"{root}/dev/{name}", None, _BIND)
    os.symlink("/proc/self/fd", root + "/dev/fd")
    Path(root + "/etc/passwd").write_text(f"student:x:{uid}:{uid}::/scratch:/bin/false\n")
    os.symlink("../scratch/shm", root + "/dev/shm")
    _mount("proc", root + "/proc", "proc", _NOSUID | _NODEV | _NOEXEC)
    number = _PIVOT_ROOT[os.uname().machine]
    _checked(_LIBC.syscall(number, root.encode(), (root + "/.before").encode()), "pivot_root")
    os.chdir("/")
    _checked(_LIBC.umount2(b"/.before", _DETACH), "let go of the old root")
    os.rmdir("/.before")
    _read_only_root()


def _show(root: str, path: str, place: str) -> None:
    target = Path(root + place)
    if target.exists() or target.is_symlink():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.islink(path):
        os.symlink(os.readlink(path), target)
        return
    if os.path.isdir(path):
        target.mkdir()
    else:
        target.touch()
    _mount(path, str(target), None, _BIND | _REC)
    _read_only(str(target), _ATTR_RDONLY | _ATTR_NOSUID | _ATTR_NODEV)


def _read_only_root() -> None:
    """The root's own tmpfs, without what is mounted on it."""
    wanted = _Attributes(_ATTR_RDONLY, 0, 0, 0)
    found = _LIBC.syscall(
        _MOUNT_SETATTR, _AT_FDCWD, b"/", 0, ctypes.byref(wanted), ctypes.sizeof(wanted)
    )
    _checked(found, "make the root read-only")


def give_up_privileges(uid: int | None) -> None:
    """No capability is left, and none can be had again: not by exec, not by a set-user-id program."""
    for capability in range(64):
        _LIBC.prctl(_CAP_DROP, capability, 0, 0, 0)
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    nothing = (ctypes.c_uint32 * 6)()
    _checked(_LIBC.capset(header, nothing), "capset")
    _checked(_LIBC.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "no_new_privs")


def set_limits(limits: dict) -> None:
    """Resource limits of one process: names as in `resource`, without RLIMIT_."""
    for name, value in limits.items():
        resource.setrlimit(getattr(resource, "RLIMIT_" + name), (value, value))


def watch(child: int, report: int, memory_bytes: int, trusted: bool) -> None:
    """Wait for the submission; say how it ended, and what it took at most."""
    peak, status, grader = 0, None, select.poll()
    grader.register(report, select.POLLERR | select.POLLHUP)
    why = ""
    while status is None and not why:
        held = held_bytes(child if trusted else None)
        if held > memory_bytes:  # perhaps only because shared pages count for each process
            held = shared_out_bytes(child if trusted else None)
            why = "memory" if held > memory_bytes else ""
        peak = max(peak, held)
        if grader.poll(0):
            why = "the grader is gone"
        status = _reaped(child)
        time.sleep(_PAUSE if status is None and not why else 0)
    if trusted:
        _kill_group(child)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = {
        "why": why,
        "status": status,
        "peak_mb": round(peak / 2**20),
        "cpu_s": round(used.ru_utime + used.ru_stime, 2),
    }
    with contextlib.suppress(BrokenPipeError):
        os.write(report, json.dumps(said).encode() + b"\n")


def _kill_group(child: int) -> None:
    """Outside of namespaces only a process group can be ended; what has left it lives on."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


def _reaped(child: int) -> int | None:
    """The submission's exit status once it has one; orphans are buried on the way."""
    status = None
    try:
        while (found := os.waitpid(-1, os.WNOHANG))[0]:
            if found[0] == child:
                status = os.waitstatus_to_exitcode(found[1])
    except ChildProcessError:
        return -1 if status is None else status
    return status


def enter(given: dict, descriptors: list[int], work: Callable[[int, int], int]) -> None:
    """In a process of its own, which it ends: shut in, and do the ``work``, a function of the two descriptors.

    ``descriptors`` are those that the work reads and writes, the report's, and the output's.
    """
    report = descriptors[2]
    try:
        if given["kind"] != "trusted":
            _new_spaces(given["kind"] == "user")
            if inside := os.fork():
                os._exit(os.waitstatus_to_exitcode(os.waitpid(inside, 0)[1]) & 0xFF)
            _LIBC.prctl(_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
            build_root(given["root"], given["visible"], given["scratch_mb"], given["uid"] or 0)
            if given["kind"] == "user":
                _forbid_more_namespaces()
            _mount("/proc/sys", "/proc/sys", None, _BIND)
            _read_only("/proc/sys", _ATTR_RDONLY)
            _LIBC.prctl(_DUMPABLE, 0, 0, 0, 0)
    except OSError as error:
        os.write(report, json.dumps({"why": "setup", "says": str(error)}).encode() + b"\n")
        os._exit(1)
    child = os.fork()
    if child == 0:
        _submission(given, descriptors, work)
    for number in (*descriptors[:2], descriptors[3]):
        os.close(number)
    watch(child, report, given["memory_mb"] * 2**20, given["kind"] == "trusted")
    os._exit(0)


def _submission(given: dict, descriptors: list[int], work: Callable[[int, int], int]) -> None:
    """The submission's own process, from here on without rights. Never returns."""
    status = 127
    try:
        reads, writes, report, output = descriptors
        os.setsid()
        silent = os.open("/dev/null", os.O_RDONLY)
        for source, target in ((silent, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        for number in (silent, output, report):
            os.close(number)
        os.environ.clear()
        os.environ.update(given["environment"])
        os.chdir(given["environment"]["HOME"])
        os.umask(0o077)
        set_limits(given["limits"])
        if given["kind"] != "trusted":
            give_up_privileges(given["uid"])
            _LIBC.prctl(_DUMPABLE, 1, 0, 0, 0)
        status = work(reads, writes)
    except BaseException as error:
        status = 1
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(status)


def _new_spaces(with_user: bool) -> None:
    """New namespaces for this process's children; with a user namespace if it has no rights to make the others."""
    uid, gid = os.geteuid(), os.getegid()
    _checked(_LIBC.unshare(_NEW_SPACES | (_NEW_USER if with_user else 0)), "unshare")
    if with_user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def _forbid_more_namespaces() -> None:
    """Where this process owns a user namespace, nobody below it may make another one."""
    # where that fails: the submission has no capabilities, and a namespace would give it none over this one
    with contextlib.suppress(OSError):
        Path("/proc/sys/user/max_user_namespaces").write_text("0")
