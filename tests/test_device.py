"""Which device, how many threads, and that whatever is changed is put back."""

import platform
import threading

import pytest
import torch

from labsupport import device
from labsupport.engine import threads


def test_pick():
    assert device.pick("cpu") == torch.device("cpu")
    assert device.pick().type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_misspelled_device():
    with pytest.raises(ValueError, match="No device is called 'gpu'. Use 'cpu', 'cuda'"):
        device.pick("gpu")


@pytest.mark.skipif(
    torch.cuda.is_available(), reason="a GPU is here, so asking for one is no mistake"
)
def test_a_gpu_that_is_not_there():
    with pytest.raises(ValueError, match="torch sees none here"):
        device.pick("cuda")


def test_describe_is_one_line_with_scale_and_versions(monkeypatch):
    monkeypatch.setenv("LABSUPPORT_SCALE", "smoke")
    line = device.describe()
    assert "\n" not in line and "scale: smoke" in line and torch.__version__ in line


def test_tiny_networks_run_on_one_thread_and_large_ones_do_not(set_threads):
    set_threads(2)
    with threads.threads_for(threads.TINY - 1):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
    with threads.threads_for(threads.TINY):
        assert torch.get_num_threads() == 2
    with pytest.raises(KeyError), threads.threads_for(10):
        raise KeyError  # an error inside restores the number too
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("number", [1, 2])
def test_only_tiny_networks_leave_threads_for_others(set_threads, number):
    set_threads(number)
    with threads.measuring(threads.TINY - 1) as lanes:
        assert lanes == number
    with threads.measuring(threads.TINY) as lanes:
        assert lanes == 1


@pytest.mark.parametrize("lanes, used", [(1, 1), (2, 2), (8, 3)])
def test_every_task_is_done_once_and_lanes_work_at_the_same_time(lanes, used):
    meet, done = threading.Barrier(used), []

    def task(k):
        meet.wait(timeout=30)  # breaks unless so many are at work at once
        done.append(k)

    threads.side_by_side(task, range(used), lanes)
    assert sorted(done) == list(range(used))


@pytest.mark.parametrize("lanes", [1, 2])
def test_an_error_in_one_task_is_raised(lanes):
    def task(k):
        if k == 1:
            raise KeyError("in one of them")

    with pytest.raises(KeyError, match="in one of them"):
        threads.side_by_side(task, range(3), lanes)


def test_measures_switch_tf32_off_and_back():
    conv = torch.backends.cudnn.conv
    before = conv.fp32_precision
    conv.fp32_precision = "tf32"
    try:
        with threads.measuring(10):
            assert conv.fp32_precision == torch.backends.cuda.matmul.fp32_precision == "ieee"
        assert conv.fp32_precision == "tf32"
    finally:
        conv.fp32_precision = before


@pytest.mark.parametrize("wish, number", [("3", 3), ("0", 1)])
def test_workers_may_be_set(monkeypatch, wish, number):
    monkeypatch.setenv("LABSUPPORT_WORKERS", wish)
    assert device.workers() == number


def test_memory_is_kept_where_the_c_library_can_be_told():
    assert threads.keep_freed_memory() is (platform.libc_ver()[0] == "glibc")
