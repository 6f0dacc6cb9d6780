"""Speech: log-mel features against a slow twin; FSDD's recordings, TIMIT's tree, and what can be wrong with them."""

import shutil
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from scipy.io import wavfile

from labsupport import Problem, data
from labsupport.data import fsdd, speech, timit
from labsupport.errors import DataUnavailable, UnknownEdition

RATE = 8_000


def tone(frequency, seconds=0.5, rate=RATE):
    return np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)


# -- features ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_features_equal_those_of_a_plain_loop(rate):
    signal = np.random.default_rng(0).normal(size=rate // 4)
    found = speech.log_mel(signal, rate)
    width, hop, points = rate // 40, rate // 100, 2 ** int(np.ceil(np.log2(2 * rate // 40)))
    emphasized = [signal[0]] + [signal[i] - 0.97 * signal[i - 1] for i in range(1, len(signal))]
    mel = lambda f: 1127 * np.log(1 + f / 700)
    corners = np.linspace(mel(20), mel(rate / 2), 42)
    for t in (0, 5, len(found) - 1):
        frame = np.array(emphasized[t * hop : t * hop + width]) * np.hamming(width)
        power = np.abs(np.fft.fft(frame, points)[: points // 2 + 1]) ** 2
        for m in (0, 17, 39):
            total = 0.0
            for k, p in enumerate(power):
                place = mel(k * rate / points)
                rising = (place - corners[m]) / (corners[m + 1] - corners[m])
                falling = (corners[m + 2] - place) / (corners[m + 2] - corners[m + 1])
                total += p * max(0.0, min(rising, falling))
            assert found[t, m] == pytest.approx(np.log(total), rel=1e-4)
    assert found.shape == (1 + (len(signal) - width) // hop, 40) and found.dtype == np.float32


@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_every_triangle_covers_some_frequency(rate):
    points = 2 ** int(np.ceil(np.log2(2 * rate // 40)))
    weights = speech.triangles(rate, points)
    assert (
        weights.shape == (40, points // 2 + 1)
        and (weights.max(1) > 0.3).all()
        and weights.max() <= 1
    )


def test_a_higher_tone_has_its_peak_in_a_higher_feature():
    peaks = [speech.log_mel(tone(f), RATE)[10].argmax() for f in (200, 500, 1000, 2000, 3500)]
    assert peaks == sorted(set(peaks))


def test_silence_and_sounds_shorter_than_a_frame_have_features():
    assert np.isfinite(speech.log_mel(np.zeros(1000), RATE)).all()
    assert speech.log_mel(np.ones(3), RATE).shape == (1, 40)


def test_context_stands_oldest_first_and_does_not_reach_beyond_a_recording():
    frames = np.arange(80.0).reshape(2, 40)
    found = speech.in_context(frames).reshape(2, 9, 40)
    assert (
        (found[0, :5] == frames[0]).all()
        and (found[0, 5:] == frames[1]).all()
        and (found[1, 4:] == frames[1]).all()
    )


def test_features_are_scaled_by_the_training_frames_alone():
    rng = np.random.default_rng(0)
    train, test = (
        [rng.normal(3, 2, (50, 40)).astype(np.float32)],
        [rng.normal(9, 5, (20, 40)).astype(np.float32)],
    )
    x_train, x_test = speech.together(train, test)
    middle = x_train.reshape(50, 9, 40)[:, 4]
    assert np.allclose(middle.mean(0), 0, atol=1e-5) and np.allclose(middle.std(0), 1, atol=1e-4)
    assert np.allclose(
        x_test.reshape(20, 9, 40)[:, 4], (test[0] - train[0].mean(0)) / train[0].std(0), atol=1e-4
    )


# -- FSDD ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def recordings(monkeypatch, tmp_path):
    """Two digits of one speaker, recordings 4 to 6, in an empty folder of data."""
    monkeypatch.setenv("LABSUPPORT_DATA", str(tmp_path))
    folder = tmp_path / "fsdd" / "recordings"
    folder.mkdir(parents=True)
    for digit in (3, 7):
        for index in (4, 5, 6):
            sound = (20_000 * tone(300 * digit, 0.2 + 0.01 * index)).astype(np.int16)
            wavfile.write(folder / f"{digit}_ann_{index}.wav", RATE, sound)
    (folder / "README.txt").write_text("not a recording")
    return folder


@pytest.mark.filterwarnings("ignore::labsupport.errors.UnknownEdition")
def test_a_frame_is_classified_by_its_digit_and_the_fifth_it_lies_in(recordings):
    arrays, _ = fsdd.read()
    frames = [1 + (int((0.2 + 0.01 * index) * RATE) - 200) // 80 for index in (5, 6)]
    expected = np.concatenate(
        [5 * digit + np.arange(n) * 5 // n for digit in (3, 7) for n in frames]
    )
    assert (arrays["y_train"] == expected).all() and arrays["x_train"].shape == (len(expected), 360)
    assert set(arrays["y_test"]) == {15, 16, 17, 18, 19, 35, 36, 37, 38, 39}


def test_other_recordings_than_the_known_ones_are_an_unknown_edition(recordings):
    with pytest.warns(
        UnknownEdition, match="recordings holds no edition of FSDD that is known here"
    ):
        one = data.load("fsdd", device="cpu")
    assert one.edition == "FSDD (unknown edition)" and one.num_classes == 50
    (recordings / "3_ann_5.wav").rename(recordings / "8_ann_5.wav")
    with pytest.warns(UnknownEdition):
        assert data.load("fsdd", device="cpu").key != one.key


def test_the_real_fsdd():
    if not data.available("fsdd"):
        pytest.skip(f"FSDD is not in {data.folder()}; set LABSUPPORT_DATA to run this")
    one = data.load("fsdd", device="cpu")
    assert (
        one.edition == "FSDD"
        and one.x_train.shape == (112_911, 360)
        and one.x_test.shape == (12_326, 360)
    )
    assert (
        one.y_train.bincount(minlength=50).min() > 1500
        and one.y_test.bincount(minlength=50).min() > 150
    )
    assert Problem("F2", "fsdd").build()[-1].out_features == 50


@pytest.mark.parametrize(
    "harm, says",
    [
        (lambda f: f.write_bytes(f.read_bytes()[:20]), "cannot be read as a recording"),
        (lambda f: f.write_bytes(b"<html>404</html>"), "cannot be read as a recording"),
        (
            lambda f: wavfile.write(f, 16_000, np.zeros(3000, np.int16)),
            "has 16,000 samples a second; recordings of 8,000",
        ),
        (
            lambda f: wavfile.write(f, RATE, np.zeros((3000, 2), np.int16)),
            r"holds int16 \(3000, 2\); int16 samples of one",
        ),
        (lambda f: wavfile.write(f, RATE, np.zeros(3000, np.float32)), "holds float32"),
        (
            lambda f: wavfile.write(f, RATE, np.zeros(0, np.int16)),
            r"holds int16 \(0,\)|cannot be read",
        ),
    ],
)
def test_a_recording_that_cannot_be_used_is_named(recordings, harm, says):
    harm(recordings / "3_ann_5.wav")
    with pytest.raises(ValueError, match=f"3_ann_5.wav.*({says})"):
        data.load("fsdd")


def test_a_set_without_test_recordings(recordings):
    for file in recordings.glob("*_4.wav"):
        file.unlink()
    with (
        pytest.warns(UnknownEdition),
        pytest.raises(ValueError, match="4 training and 0 test recordings .index 0 to 4."),
    ):
        data.load("fsdd")


def test_a_folder_of_ones_own(recordings, tmp_path):
    with pytest.warns(UnknownEdition):
        assert len(data.load("fsdd", path=tmp_path / "fsdd").y_train) == len(
            data.load("fsdd", path=recordings).y_train
        )
    with pytest.raises(
        DataUnavailable, match="nowhere holds no recordings named digit_speaker_index.wav"
    ):
        data.load("fsdd", path=tmp_path / "nowhere")
    with pytest.raises(ValueError, match="path is for timit and fsdd; mnist is kept in"):
        data.load("mnist", path=tmp_path)


@pytest.fixture
def host(monkeypatch):
    """A real server on this machine in the place of FSDD's host; give it the bytes to send."""
    sent = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(sent["bytes"])))
            self.end_headers()
            self.wfile.write(sent["bytes"])

        def log_message(self, *args):
            pass

    for name in (
        "http_proxy",
        "https_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(fsdd, "URL", f"http://127.0.0.1:{server.server_port}/fsdd.zip")
    yield lambda content: sent.update(bytes=content)
    server.shutdown()
    server.server_close()


def archive(folder, path, **extra):
    with zipfile.ZipFile(path, "w") as file:
        for recording in folder.glob("*.wav"):
            file.write(recording, f"fsdd-1.0.10/recordings/{recording.name}")
        for name, content in extra.items():
            file.writestr(name, content)
    return path.read_bytes()


def test_it_is_fetched_once_and_checked_by_its_content(recordings, host, monkeypatch, tmp_path):
    content = archive(
        recordings,
        tmp_path / "sent.zip",
        **{"x/recordings/../../../evil.wav": b"", "x/recordings/run.py": b""},
    )
    known = fsdd.digest_of_files((n, s.tobytes()) for n, s in fsdd._sounds(recordings).items())
    monkeypatch.setattr(fsdd, "KNOWN", {known: "FSDD"})
    shutil.rmtree(tmp_path / "fsdd")
    host(content)
    assert not data.available("fsdd")
    assert data.load("fsdd", device="cpu").edition == "FSDD"
    assert sorted(p.name for p in (tmp_path / "fsdd").rglob("*.*")) == sorted(
        f"{digit}_ann_{index}.wav" for digit in (3, 7) for index in (4, 5, 6)
    )
    host(b"")
    assert data.available("fsdd") and data.load("fsdd", device="cpu").edition == "FSDD"


@pytest.mark.parametrize("content", [b"", b"<html>This site has moved.</html>", None])
def test_a_host_that_sends_something_else(recordings, host, tmp_path, content):
    host(archive(recordings, tmp_path / "sent.zip") if content is None else content)
    shutil.rmtree(tmp_path / "fsdd")
    with pytest.raises(
        DataUnavailable,
        match="(?s)FSDD is not in .* and could not be fetched from http.*or unpack the",
    ):
        data.load("fsdd")
    assert list((tmp_path / "fsdd").iterdir()) == []


def test_without_pooch(monkeypatch, tmp_path):
    monkeypatch.setenv("LABSUPPORT_DATA", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(
        DataUnavailable, match="needs pooch to be fetched. Run pip install pooch, or unpack"
    ):
        data.load("fsdd")


# -- TIMIT ---------------------------------------------------------------------------------------------------------

PHONES = [(0, 1000, "h#"), (1000, 3000, "sh"), (3000, 6000, "iy"), (6000, 8000, "h#")]


def sphere(samples, rate=16_000, **changes):
    fields = {
        "channel_count": "-i 1", "sample_count": f"-i {len(samples)}", "sample_rate": f"-i {rate}",
        "sample_n_bytes": "-i 2", "sample_byte_format": "-s2 01", "sample_coding": "-s3 pcm",
    } | changes  # fmt: skip
    header = (
        "NIST_1A\n   1024\n"
        + "".join(f"{name} {value}\n" for name, value in fields.items())
        + "end_head\n"
    )
    order = ">i2" if "10" in fields["sample_byte_format"] else "<i2"
    return header.encode().ljust(1024) + samples.astype(order).tobytes()


def riff(path, samples, rate=16_000):
    wavfile.write(path, rate, samples)


SAMPLES = (8_000 * tone(440, 0.5, 16_000)).astype(np.int16)


@pytest.fixture
def tree(tmp_path):
    """Two speakers, two sentences and SA1 each, in the layout of LDC93S1."""
    for part, speaker in (("TRAIN", "FCJF0"), ("TEST", "MDAB0")):
        folder = tmp_path / "TIMIT" / part / "DR1" / speaker
        folder.mkdir(parents=True)
        for sentence in ("SA1", "SI648", "SX127"):
            (folder / f"{sentence}.WAV").write_bytes(sphere(SAMPLES))
            (folder / f"{sentence}.PHN").write_text("".join(f"{a} {b} {p}\n" for a, b, p in PHONES))
            (folder / f"{sentence}.TXT").write_text("0 8000 She had.\n")
    return tmp_path / "TIMIT"


def train(tree):
    return tree / "TRAIN" / "DR1" / "FCJF0"


def test_a_frame_has_the_phone_of_its_middle_and_sa_sentences_are_left_out(tree):
    one = data.load("timit", path=tree, device="cpu")
    frames = 1 + (8000 - 400) // 160
    assert one.x_train.shape == (2 * frames, 360) and one.num_classes == 61
    arrays, edition = timit.read(tree)
    middles = [160 * t + 200 for t in range(frames)]
    expected = [next(p for a, b, p in PHONES if a <= m < b) for m in middles]
    assert [timit.PHONES[k] for k in arrays["y_train"][:frames]] == expected
    assert edition == one.edition == "TIMIT (a part: 2 and 2 sentences)"
    assert Problem("F2", one).build()[-1].out_features == 61


def test_the_61_phones_are_in_order_and_each_once():
    assert len(timit.PHONES) == 61 == len(set(timit.PHONES)) and list(timit.PHONES) == sorted(
        timit.PHONES
    )


def test_small_letters_riff_headers_folders_above_and_the_data_folder_give_the_same(
    tree, tmp_path, monkeypatch
):
    key = data.load("timit", path=tree, device="cpu").key
    assert data.load("timit", path=tmp_path, device="cpu").key == key
    lower = tmp_path / "data" / "timit"
    for file in [p for p in tree.rglob("*") if p.is_file()]:
        target = lower / str(file.relative_to(tree)).lower()
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".WAV":
            riff(target, SAMPLES)
        else:
            target.write_bytes(file.read_bytes())
    monkeypatch.setenv("LABSUPPORT_DATA", str(tmp_path / "data"))
    assert data.available("timit") and data.load("timit", device="cpu").key == key
    assert Problem("F2", "timit").key[1] == key


def test_big_endian_samples_are_read_as_they_are_meant(tree):
    rate, plain = timit.read_sound(train(tree) / "SX127.WAV")
    (train(tree) / "SX127.WAV").write_bytes(sphere(SAMPLES, sample_byte_format="-s2 10"))
    again = timit.read_sound(train(tree) / "SX127.WAV")
    assert (
        (rate, again[0]) == (16_000, 16_000)
        and (plain == again[1]).all()
        and (plain == SAMPLES).all()
    )


def test_without_a_tree(tmp_path, monkeypatch):
    monkeypatch.setenv("LABSUPPORT_DATA", str(tmp_path))
    assert not data.available("timit")
    with pytest.raises(
        DataUnavailable,
        match="TIMIT is licensed .*LDC93S1.*timit is no folder here.*give the folder that holds",
    ):
        data.load("timit")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataUnavailable, match="empty holds neither TRAIN nor TEST"):
        data.load("timit", path=tmp_path / "empty")


def test_half_a_tree(tree):
    shutil.rmtree(tree / "TEST")
    with pytest.raises(
        ValueError, match="TIMIT holds no folder TEST: half of TIMIT is missing. Copy it there."
    ):
        data.load("timit", path=tree)


@pytest.mark.parametrize(
    "harm, says",
    [
        (lambda f: (f / "SX127.PHN").unlink(), "SX127 lacks its .PHN file, as do 0 others"),
        (lambda f: (f / "SX127.WAV").unlink(), "SX127 lacks its .WAV file"),
        (
            lambda f: (f / "SX127.WAV").write_bytes(sphere(SAMPLES, 8_000)),
            "SX127.WAV has 8,000 samples a second; TIMIT has 16,000",
        ),
        (lambda f: riff(f / "SX127.WAV", SAMPLES, 44_100), "SX127.WAV has 44,100 samples a second"),
        (
            lambda f: (f / "SX127.WAV").write_bytes(sphere(SAMPLES)[:5000]),
            "holds 1,988 samples of 8,000: it is truncated",
        ),
        (
            lambda f: (f / "SX127.WAV").write_bytes(
                sphere(SAMPLES, sample_coding="-s26 pcm,embedded-shorten-v2.00")
            ),
            "its samples are pcm,embedded-shorten-v2.00, and plain 16-bit samples",
        ),
        (
            lambda f: (f / "SX127.WAV").write_bytes(b"NIST_1A\n   1024\nend_head\n"),
            "SX127.WAV cannot be read",
        ),
        (lambda f: (f / "SX127.WAV").write_bytes(b""), "SX127.WAV cannot be read"),
        (lambda f: (f / "SX127.WAV").write_bytes(sphere(SAMPLES[:0])), r"holds int16 \(0,\)"),
        (lambda f: (f / "SX127.PHN").write_text(""), "SX127.PHN names no phone"),
        (
            lambda f: (f / "SX127.PHN").write_text("0 10 xx\n"),
            "SX127.PHN has the line '0 10 xx'; lines are 'start end phone'",
        ),
        (
            lambda f: (f / "SX127.PHN").write_text("90 100 sh\n0 10 iy\n"),
            "has the line '0 10 iy'; .* in order of time",
        ),
        (lambda f: [p.unlink() for p in f.iterdir()], "TRAIN holds no recordings"),
        (
            lambda f: [p.unlink() for p in f.glob("S[IX]*")],
            "TRAIN holds no sentences but SA1 and SA2",
        ),
    ],
)
def test_a_tree_with_something_wrong_is_refused_in_one_sentence(tree, harm, says):
    harm(train(tree))
    with pytest.raises(ValueError, match=says) as caught:
        data.load("timit", path=tree)
    assert "\n" not in str(caught.value)
