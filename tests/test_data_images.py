"""Sets of images: everything that can be wrong with a stored one, and with the host it comes from."""

import errno
import os
import socket
import threading

import numpy as np
import pytest

from labsupport import data
from labsupport.data import editions, files, images
from labsupport.errors import DataUnavailable, UnknownEdition

SHAPE = (3, 32, 32)

pytestmark = pytest.mark.filterwarnings("ignore::labsupport.errors.UnknownEdition")


def need(name):
    if not data.available(name):
        pytest.skip(f"{name}.npz is not in {data.folder()}; set LABSUPPORT_DATA to run this")


@pytest.fixture
def tiny(monkeypatch, tmp_path):
    """A stored set of 30 and 20 real files' shape, under the name cifar10, in an empty folder."""
    monkeypatch.setenv("LABSUPPORT_DATA", str(tmp_path))
    monkeypatch.setitem(images.SHAPES, "cifar10", (30, 20, SHAPE, 10))
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (30, *SHAPE), dtype=np.uint8),
        "y_train": np.arange(30) % 10,
        "x_test": rng.integers(0, 256, (20, *SHAPE), dtype=np.uint8),
        "y_test": np.arange(20) % 10,
    }


# -- real images ---------------------------------------------------------------------------------------------------


def test_mnist():
    need("mnist")
    got = data.load("mnist", device="cpu")
    assert got.x_train.shape == (60_000, 1, 28, 28) and got.x_test.shape == (10_000, 1, 28, 28)
    assert got.x_train.min() == 0 and got.x_train.max() == 1
    assert float(got.x_train.mean()) == pytest.approx(
        0.1307, abs=1e-4
    )  # known to everyone who has normalized it
    assert got.y_train.bincount().tolist() == [
        5923,
        6742,
        5958,
        6131,
        5842,
        5421,
        5918,
        6265,
        5851,
        5949,
    ]
    assert got.edition == "MNIST"


def test_cifar10():
    need("cifar10")
    got = data.load("cifar10", device="cpu", train_size=5000)
    assert got.x_train.shape == (5000, 3, 32, 32) and got.x_test.shape == (10_000, 3, 32, 32)
    assert got.x_train.mean((0, 2, 3)).tolist() == pytest.approx(
        [0.4914, 0.4822, 0.4465], abs=0.01
    )  # in the order R, G, B
    assert got.y_test.bincount().tolist() == [1000] * 10
    assert got.edition in set(editions.KNOWN.values()) | set(editions.SAMPLES.values())


def test_fashion_mnist():
    need("fashion_mnist")
    got = data.load("fashion_mnist", device="cpu", train_size=1000)
    assert got.x_train.shape == (1000, 1, 28, 28) and got.edition == "Fashion-MNIST"
    assert got.y_test.bincount().tolist() == [1000] * 10


def test_fashion_mnist_is_taken_from_the_systems_package_where_it_is_installed(
    monkeypatch, tmp_path
):
    if not images.DEBIAN.is_dir():
        pytest.skip("dataset-fashion-mnist is not installed")
    monkeypatch.setenv("LABSUPPORT_DATA", str(tmp_path))
    assert data.available("fashion_mnist")
    assert data.load("fashion_mnist", train_size=10).edition == "Fashion-MNIST" and os.listdir(
        tmp_path
    ) == ["fashion_mnist.npz"]


def test_cifar100():
    need("cifar100")
    arrays, edition = images.stored("cifar100")
    assert np.bincount(arrays["y_train"]).tolist() == [500] * 100 and edition.startswith(
        "CIFAR-100 ("
    )
    assert arrays["x_train"].mean((0, 2, 3)) / 255 == pytest.approx(
        [0.507075, 0.486549, 0.440918], abs=1e-6
    )


# -- editions ------------------------------------------------------------------------------------------------------


@pytest.fixture
def swapped(monkeypatch, tmp_path):
    """Puts the real MNIST, with some arrays exchanged, in the place of MNIST, and loads it."""
    need("mnist")
    arrays = images.read(images.path_of("mnist"), "mnist")
    monkeypatch.setenv("LABSUPPORT_DATA", str(tmp_path))

    def put(**changes):
        data.save(
            tmp_path / "mnist.npz",
            arrays | {name: change(arrays) for name, change in changes.items()},
        )
        return data.load("mnist", device="cpu", train_size=6000)

    return put


def test_mnist_with_its_labels_rolled_or_black_test_images_is_named_as_not_mnist(swapped):
    keys = {swapped().key}
    changes = [
        {"y_train": lambda a: np.roll(a["y_train"], 1)},
        {"y_test": lambda a: np.roll(a["y_test"], 1)},
        {"x_test": lambda a: np.zeros_like(a["x_test"])},
        {"x_train": lambda a: a["x_train"] ^ np.uint8(1)},
    ]
    for change in changes:
        with pytest.warns(
            UnknownEdition,
            match="mnist.npz holds no edition of MNIST that is known here .SHA-256 [0-9a-f]{12}",
        ):
            found = swapped(**change)
        assert found.edition == "MNIST (unknown edition)"
        keys.add(found.key)
    assert len(keys) == 1 + len(changes)


def test_the_same_samples_in_another_order_are_said_to_be_so(swapped):
    order = np.random.default_rng(0).permutation(60_000)
    found = swapped(x_train=lambda a: a["x_train"][order], y_train=lambda a: a["y_train"][order])
    assert found.edition == "MNIST (in another order)"


def test_one_set_in_the_place_of_another_is_not_believed(monkeypatch, tmp_path):
    need("mnist")
    need("fashion_mnist")
    fashion = images.read(images.path_of("mnist"), "mnist")
    monkeypatch.setenv("LABSUPPORT_DATA", str(tmp_path))
    data.save(tmp_path / "fashion_mnist.npz", fashion)
    with pytest.warns(UnknownEdition, match="holds no edition of Fashion-MNIST"):
        assert data.load("fashion_mnist", train_size=5).edition == "Fashion-MNIST (unknown edition)"


# -- the store of images -------------------------------------------------------------------------------------------


def test_what_is_saved_is_what_is_loaded(tiny):
    data.save(data.folder() / "cifar10.npz", tiny)
    got = data.load("cifar10", device="cpu")
    order = np.random.default_rng([0, False]).permutation(30)
    assert (
        np.allclose(got.x_train, tiny["x_train"][order] / 255)
        and (got.y_train.numpy() == tiny["y_train"][order]).all()
    )
    assert os.listdir(data.folder()) == ["cifar10.npz"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_truncated_file(tiny, share):
    path = data.folder() / "cifar10.npz"
    data.save(path, tiny)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(
        ValueError,
        match="cifar10.npz is truncated or altered and cannot be read.*Delete it and run again",
    ):
        data.load("cifar10")


def test_a_flipped_byte(tiny):
    path = data.folder() / "cifar10.npz"
    data.save(path, tiny)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="truncated or altered"):
        data.load("cifar10")


def test_no_archive_at_all(tiny):
    (data.folder() / "cifar10.npz").write_text("<html>404</html>")
    with pytest.raises(ValueError, match="truncated or altered"):
        data.load("cifar10")


@pytest.mark.parametrize(
    "wrong, says",
    [
        (lambda a: a.pop("y_test"), "lacks an array that cifar10 must have: 'y_test"),
        (
            lambda a: a.update(x_train=a["x_train"][:29]),
            r"x_train is uint8 \(29, 3, 32, 32\); cifar10 has uint8 \(30, 3, 32, 32\)",
        ),
        (lambda a: a.update(x_test=a["x_test"].astype(np.float32)), "x_test is float32"),
        (
            lambda a: a.update(y_train=a["y_train"] + 1),
            "y_train is not 30 int64 labels from 0 to 9",
        ),
        (lambda a: a.update(y_train=a["y_train"].astype(np.int32)), "y_train is not 30 int64"),
        (
            lambda a: a.update(y_test=np.array([None] * 20, dtype=object)),
            "truncated or altered",
        ),  # a pickle is never opened
    ],
)
def test_an_archive_with_other_things_in_it(tiny, wrong, says):
    wrong(tiny)
    np.savez(data.folder() / "cifar10.npz", **tiny)
    with pytest.raises(ValueError, match=says):
        data.load("cifar10")


def test_pixels_that_are_not_mnists_are_an_unknown_edition(monkeypatch, tmp_path):
    monkeypatch.setenv("LABSUPPORT_DATA", str(tmp_path))
    monkeypatch.setitem(images.SHAPES, "mnist", (10, 10, (1, 28, 28), 10))
    pixels = np.zeros((10, 1, 28, 28), np.uint8)
    data.save(
        tmp_path / "mnist.npz",
        {"x_train": pixels, "y_train": np.arange(10), "x_test": pixels, "y_test": np.arange(10)},
    )
    with pytest.warns(
        UnknownEdition, match="mnist.npz holds no edition of MNIST that is known here"
    ):
        assert data.load("mnist", device="cpu").edition == "MNIST (unknown edition)"


def test_a_truncated_copy_of_the_real_mnist(monkeypatch, tmp_path):
    need("mnist")
    source = data.folder() / "mnist.npz"
    with source.open("rb") as file:
        (tmp_path / "mnist.npz").write_bytes(file.read(20_000_000))
    monkeypatch.setenv("LABSUPPORT_DATA", str(tmp_path))
    with pytest.raises(ValueError, match="mnist.npz is truncated or altered"):
        data.load("mnist")


def half_written(error):
    """np.savez that writes a little and then fails, as on a disk that fills up meanwhile."""

    def savez(file, **arrays):
        file.write(b"PK half of it")
        raise error

    return savez


def test_a_full_disk(tiny, monkeypatch):
    monkeypatch.setattr(np, "savez", half_written(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(
        OSError,
        match=r"Could not write .*cifar10.npz: the disk is full; 0 MiB are needed. Nothing was left "
        "half-written. Free some space, or point LABSUPPORT_DATA",
    ) as caught:
        data.save(data.folder() / "cifar10.npz", tiny)
    assert caught.value.errno == errno.ENOSPC and os.listdir(data.folder()) == []


def test_a_full_disk_leaves_the_old_file_as_it_was(tiny, monkeypatch):
    path = data.folder() / "cifar10.npz"
    data.save(path, tiny)
    before = path.read_bytes()
    monkeypatch.setattr(np, "savez", half_written(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(OSError):
        data.save(path, tiny)
    assert path.read_bytes() == before and os.listdir(data.folder()) == ["cifar10.npz"]


def test_a_reader_who_interrupts_leaves_nothing_either(tiny, monkeypatch):
    monkeypatch.setattr(np, "savez", half_written(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        data.save(data.folder() / "cifar10.npz", tiny)
    assert os.listdir(data.folder()) == []


def test_a_folder_that_cannot_be_made(tiny, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Could not write .*point LABSUPPORT_DATA at another folder"):
        data.save(tmp_path / "file" / "cifar10.npz", tiny)


# -- hosts ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def host(monkeypatch, tmp_path):
    """A real server on this machine in the place of every data host; give it a function of each connection."""
    torchvision = pytest.importorskip("torchvision")
    monkeypatch.setenv("LABSUPPORT_DATA", str(tmp_path))
    for name in (
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url, held = f"http://127.0.0.1:{server.getsockname()[1]}/", []

        def serve(answer):
            def loop():
                while True:
                    try:
                        connection, _ = server.accept()
                    except OSError:
                        return
                    held.append(connection)
                    answer(connection)

            threading.Thread(target=loop, daemon=True).start()

        monkeypatch.setattr(torchvision.datasets.MNIST, "mirrors", [url])
        monkeypatch.setattr(torchvision.datasets.CIFAR10, "url", url + "cifar-10-python.tar.gz")
        yield serve
    for connection in held:
        connection.close()


def page(text):
    def answer(connection):
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))
        connection.close()

    return answer


SAYS = "(?s)is not in .* and could not be fetched from .*127.0.0.1.*Try again later, or put .*npz"


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_a_host_that_does_not_answer(host, monkeypatch, tmp_path, name):
    monkeypatch.setattr(files, "PATIENCE", 0.3)
    host(lambda connection: None)  # takes the call and says nothing
    with pytest.raises(DataUnavailable, match=SAYS):
        data.load(name)
    assert os.listdir(tmp_path) == [] and socket.getdefaulttimeout() is None


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_a_host_that_hangs_up(host, tmp_path, name):
    host(lambda connection: connection.close())
    with pytest.raises(DataUnavailable, match=SAYS):
        data.load(name)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_a_host_that_sends_something_else(host, tmp_path, name):
    host(page(b"<html>This site has moved.</html>"))
    with pytest.raises(DataUnavailable, match=SAYS):
        data.load(name)
    assert os.listdir(tmp_path) == []


def test_without_torchvision(monkeypatch, tmp_path):
    import sys

    monkeypatch.setenv("LABSUPPORT_DATA", str(tmp_path))
    monkeypatch.setitem(
        sys.modules, "torchvision", None
    )  # what Python itself does with a module that is not there
    with pytest.raises(
        DataUnavailable, match="needs torchvision to be fetched.*pip install torchvision"
    ):
        data.load("cifar100")
