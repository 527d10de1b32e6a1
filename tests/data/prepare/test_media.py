"""Frames and sound out of clips, and every way in which a clip can be broken."""

import av
import numpy as np
import pytest
from av.stream import Disposition
from clips import TONES, cut, other_codec, picture, write

from umt_lib.data.prepare import media
from umt_lib.data.prepare.store import SampleError


def read(path, what, *settings):
    with media.open_clip(path) as clip:
        return getattr(media, what)(clip, *settings)


def test_frames_are_those_on_screen_in_the_middle_of_each_part(tmp_path):
    found = read(write(tmp_path / "a.mp4", seconds=2.0), "frames", 4, 64)
    wanted = [picture(i, 0) for i in (2, 7, 12, 17)]  # at 0.25, 0.75, 1.25, 1.75 s
    assert found.shape == (4, 64, 64, 3)
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - np.stack(wanted)).mean() < 8


def test_the_shorter_side_is_scaled_and_the_middle_kept(tmp_path):
    wide = read(write(tmp_path / "a.mp4", width=128), "frames", 1, 32)[0]
    assert wide.shape == (32, 32, 3)
    bright = np.flatnonzero(wide[:, 16, 0] > 150)
    assert len(bright) in (2, 3)  # the bar of 4 in 64 rows


def test_a_clip_of_one_frame_shows_it_all_the_time(tmp_path):
    found = read(write(tmp_path / "a.mp4", seconds=0.1, sound=None), "frames", 3, 64)
    assert (found == found[0]).all()


def corner(i: int, label: int, width: int) -> np.ndarray:
    """A picture whose rotations and mirror images all differ."""
    image = np.zeros((64, width, 3), np.uint8)
    image[:20, : width // 2] = 250
    return image


@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
@pytest.mark.parametrize(
    ("matrix", "shown"),
    [
        ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),  # to the right, as of most telephones
        ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
        ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
        ((-1, 0, 0, 1), lambda image: image[:, ::-1]),  # a mirror image, as of a front camera
        ((0, 1, 1, 0), lambda image: image.swapaxes(0, 1)),
    ],
)
def test_pictures_are_turned_as_the_header_states(tmp_path, name, matrix, shown):
    plain = read(write(tmp_path / f"plain-{name}", width=96, draw=corner), "frames", 3, 64)
    turned = read(write(tmp_path / name, width=96, draw=corner, turned=matrix), "frames", 3, 64)
    assert np.array_equal(turned, np.stack([shown(image) for image in plain]))
    assert (turned != plain).mean() > 0.1


def stereo(path, left, right, sound="pcm_s16le"):
    """Two channels of a second and a half, as (n,) in -1..1."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(sound, rate=media.RATE)
        stream.layout = "stereo"
        wave = np.stack([left, right])
        kind = stream.format.name
        both = (wave.T.reshape(1, -1) * 32767).astype(np.int16) if kind == "s16" else wave
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(both), kind, "stereo")
        frame.sample_rate = media.RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


TONE = 0.5 * np.sin(np.arange(24_000) / 5).astype(np.float32)


@pytest.mark.parametrize(
    ("sound", "name", "left", "right", "reason"),
    [
        ("aac", "a.mp4", 0 * TONE, 0 * TONE, "silent: the sound is constant"),
        ("pcm_s16le", "a.wav", 0 * TONE, 0 * TONE, "silent: the sound is constant"),
        ("pcm_s16le", "a.wav", 0 * TONE + 0.25, 0 * TONE + 0.25, "silent: the sound is constant"),
        ("aac", "a.mp4", TONE, -TONE, "silent: the channels cancel each other"),
        ("pcm_s16le", "a.wav", TONE, -TONE, "silent: the channels cancel each other"),
    ],
)
def test_sound_without_content_is_not_taken(tmp_path, sound, name, left, right, reason):
    with pytest.raises(SampleError, match=f"^{reason}$"):
        read(stereo(tmp_path / name, left, right, sound), "waveform", media.RATE, 1.0)


def test_a_quiet_sound_and_one_in_a_single_channel_are_taken(tmp_path):
    for left, right in ((TONE / 1000, TONE / 1000), (TONE, 0 * TONE), (TONE, -0.9 * TONE)):
        found = read(stereo(tmp_path / "a.wav", left, right), "waveform", media.RATE, 1.0)
        assert np.ptp(found) > 0


def with_cover(path):
    """A clip of sound with a cover picture, as music shops sell it."""
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width = cover.height = 64
        cover.pix_fmt = "yuvj420p"
        cover.disposition = Disposition.attached_pic
        audio = container.add_stream("aac", rate=media.RATE)
        audio.layout = "mono"
        image = av.VideoFrame.from_ndarray(picture(0, 0), format="rgb24").reformat(
            format="yuvj420p"
        )
        container.mux(cover.encode(image))
        container.mux(cover.encode())
        frame = av.AudioFrame.from_ndarray(TONE[None], "fltp", "mono")
        frame.sample_rate = media.RATE
        container.mux(audio.encode(frame))
        container.mux(audio.encode())
    return path


@pytest.mark.parametrize(("sound", "name"), [("aac", "a.mp4"), ("pcm_s16le", "a.wav")])
@pytest.mark.parametrize("label", [0, 2])
def test_the_spectrogram_peaks_at_the_tone_whatever_the_rate_of_the_file(
    tmp_path, sound, name, label
):
    video = "libx264" if name.endswith("mp4") else None
    path = write(tmp_path / name, label, 1.5, video, sound, rate=44_100)
    found = media.log_spectrogram(read(path, "waveform", media.RATE, 2.0))  # 1.5 s, repeated
    assert found.shape == media.spectrogram_shape(2.0)
    assert found.dtype == np.float16
    bin_width = media.RATE / media.N_FFT
    assert abs(found.mean(1).argmax() * bin_width - TONES[label]) <= bin_width
    assert found[:, -20:].max() > found.max() - 1  # sound to the end


def test_a_waveform_is_the_first_seconds(tmp_path):
    path = write(tmp_path / "a.wav", 0, 2.0, None, "pcm_s16le")
    whole, part = (read(path, "waveform", media.RATE, s) for s in (2.0, 1.0))
    assert len(whole) == 32_000
    assert (whole[:16_000] == part).all()
    assert abs(np.abs(whole).max() - 0.3) < 0.01


def test_sound_may_change_its_rate_in_the_middle(tmp_path):
    low = write(tmp_path / "low.aac", 0, 1.5, None, "aac")
    high = write(tmp_path / "high.aac", 2, 1.5, None, "aac", rate=44_100)
    both = tmp_path / "both.aac"
    both.write_bytes(low.read_bytes() + high.read_bytes())
    found = media.log_spectrogram(read(both, "waveform", media.RATE, 3.0)).astype(float)
    for label, part in ((0, found[:, :170]), (2, found[:, -170:])):
        peak = part.mean(1).argmax() * media.RATE / media.N_FFT
        assert abs(peak - TONES[label]) <= media.RATE / media.N_FFT


def faststart(path):
    return write(path, seconds=2.0, sound=None, movflags="faststart")


FRAMES, WAVEFORM = ("frames", 3, 64), ("waveform", media.RATE, 2.0)


@pytest.mark.parametrize(
    ("make", "what", "reason"),
    [
        (lambda p: write(p, sound=None), WAVEFORM, "no audio track"),
        (lambda p: write(p, video=None), FRAMES, "no video stream$"),
        (with_cover, FRAMES, "no video stream but a cover picture$"),
        (lambda p: write(p.with_suffix(".mkv"), frames=0), FRAMES, "zero frames"),
        (lambda p: cut(write(p), 0.5), FRAMES, "undecodable file"),
        (lambda p: cut(write(p), 0.5), WAVEFORM, "undecodable file"),
        (lambda p: cut(write(p), 0), FRAMES, "undecodable file"),
        (lambda p: cut(faststart(p), 0.6), FRAMES, "undecodable video"),
        (lambda p: write(p, seconds=0.5), WAVEFORM, "too short: less than 1 s of sound"),
        (lambda p: other_codec(write(p)), FRAMES, "unknown video codec"),
    ],
)
def test_a_broken_clip_has_its_reason(tmp_path, make, what, reason):
    path = make(tmp_path / "a.mp4")
    with pytest.raises(SampleError, match=f"^{reason}"):
        read(path, *what)


@pytest.mark.parametrize("seconds", [0.5, 2.0])
def test_sound_that_ends_before_its_stated_length_is_truncated(tmp_path, seconds):
    path = write(tmp_path / "a.wav", 0, seconds, None, "pcm_s16le")
    with media.open_clip(path) as clip:
        clip.seconds = lambda kind: 9.0
        with pytest.raises(SampleError, match=r"^truncated: the sound ends early$"):
            media.waveform(clip, media.RATE, 3.0)


def test_an_flv_that_ends_early_is_truncated(tmp_path):
    path = write(tmp_path / "a.flv", seconds=3.0, video="flv", sound=None)
    assert read(path, "frames", 2, 64).shape == (2, 64, 64, 3)
    with pytest.raises(SampleError, match="truncated: the video ends early"):
        read(cut(path, 0.5), "frames", 2, 64)
