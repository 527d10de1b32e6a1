"""Decode frames and sound of a clip with PyAV, which needs no installed FFmpeg.

The frames that are taken, their crop and the resampling of the sound depend on the clip alone, so a
clip always gives the same row. The pictures are decoded to the end of the clip: seeking would be
faster, but would not notice that a file is truncated. A file is opened once for frames and sound,
because reading its headers takes time too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from av.stream import Disposition
from scipy import fft

from umt_lib.data.prepare.store import SampleError

RATE, N_FFT, HOP = 16_000, 256, 128  # Hz, samples, samples; as usual for VGG-Sound
FLOOR = 1e-7  # added to magnitudes before the logarithm
MIN_SOUND = 1.0  # seconds
QUIET = 2 / 32_768  # range of a constant sound: two steps of 16-bit samples
CANCELLED = 0.01  # of the range of a channel that is left when the channels are mixed
BLOCK = 32  # audio frames that are resampled together, most of a second
MISSING_END = 0.1, 0.5  # share, seconds: the larger of them may be missing at the end
Kind = Literal["video", "audio"]


class Clip:
    """An open file with its compressed packets (about a megabyte), by stream."""

    def __init__(self, container: av.container.InputContainer):
        self.container = container
        self.packets: dict[int, list[av.Packet]] = defaultdict(list)
        for packet in container.demux():
            self.packets[packet.stream_index].append(packet)

    def stream(self, kind: Kind) -> av.stream.Stream:
        """The first stream of a kind that is not a cover picture.

        Raises:
            SampleError: there is none, or its codec is unknown.
        """
        every = getattr(self.container.streams, kind)
        streams = [s for s in every if not s.disposition & Disposition.attached_pic]
        if not streams:
            cover = " but a cover picture" if every else ""
            raise SampleError("no audio track" if kind == "audio" else f"no video stream{cover}")
        if streams[0].codec_context is None:
            raise SampleError(f"unknown {kind} codec")
        return streams[0]

    def seconds(self, kind: Kind) -> float:
        """Duration of the stream in seconds according to the file; 0 if unknown."""
        stream = self.stream(kind)
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        return (self.container.duration or 0) / av.time_base

    def decode(self, kind: Kind) -> Iterator[Any]:
        """Decode the frames (VideoFrame or AudioFrame) of the stream in this thread; possible once.

        Raises:
            SampleError: as in :meth:`stream`, or the stream cannot be decoded.
        """
        stream = self.stream(kind)
        stream.codec_context.thread_count = 1  # there is one process per core
        try:
            for packet in self.packets[stream.index]:
                yield from packet.decode()
        except av.FFmpegError as error:
            raise SampleError(f"undecodable {kind} ({error.strerror})") from None


@contextmanager
def open_clip(path: Path) -> Iterator[Clip]:
    """Open a file and read its packets.

    Raises:
        SampleError: the file is not a clip, or is truncated.
    """
    try:
        with av.open(path) as container:
            yield Clip(container)
    except av.FFmpegError as error:
        raise SampleError(f"undecodable file ({error.strerror})") from None


def frames(clip: Clip, n: int, size: int) -> np.ndarray:
    """Decode (n, size, size, 3) uint8 RGB: the frame in the middle of each n-th of the clip.

    The shorter side is scaled to ``size``, the longer side is cropped to its centre.

    Raises:
        SampleError: there is no video stream, its codec is unknown, it has no frames, is truncated,
            or cannot be decoded.
    """
    found: list[np.ndarray] = []
    length = clip.seconds("video")
    shown, first, last = None, 0.0, 0.0
    for frame in clip.decode("video"):
        if shown is None:
            first = frame.time or 0.0
        last = (frame.time or 0.0) - first
        while shown is not None and len(found) < n and last > (len(found) + 0.5) / n * length:
            found.append(resize_and_crop(shown, size))
        shown = frame
    if shown is None:
        raise SampleError("zero frames")
    rate = float(clip.stream("video").average_rate or 0)
    _check_length(last + (1 / rate if rate else 0.0), length, "video")
    repeated = [resize_and_crop(shown, size)] * (n - len(found))
    return np.stack(found + repeated)


def waveform(clip: Clip, rate: int, seconds: float) -> np.ndarray:
    """Decode (rate * seconds,) float32 in -1..1: the first ``seconds``, mono; repeated if shorter.

    Args:
        rate: samples per second, in Hz.

    Raises:
        SampleError: there is no audio track, its codec is unknown, it is too short, truncated,
            silent, or cannot be decoded.
    """
    wanted, length = round(rate * seconds), clip.seconds("audio")
    decoded = _first_seconds(clip.decode("audio"), seconds + 1)
    parts, ranges = [np.empty(0, np.float32)], [0.0]
    for form, alike in groupby(decoded, _audio_format):
        part, largest = _resample(form, alike, rate)
        parts.append(part)
        ranges.append(largest)
    have = sum(map(len, parts))
    if have < MIN_SOUND * rate:
        _check_length(have / rate, length, "sound")
        raise SampleError(f"too short: less than {MIN_SOUND:g} s of sound")
    if have < wanted:
        _check_length(have / rate, length, "sound")
    wave = np.concatenate(parts)
    if max(ranges) <= QUIET:
        raise SampleError("silent: the sound is constant")
    if np.ptp(wave) < CANCELLED * max(ranges):
        raise SampleError("silent: the channels cancel each other")
    return np.resize(wave, wanted)


def _audio_format(frame: av.AudioFrame) -> tuple[str, str, int]:
    """Sample type, channel layout and rate; these may change within a clip."""
    return frame.format.name, frame.layout.name, frame.sample_rate


def _resample(
    form: tuple[str, str, int], alike: Iterator[av.AudioFrame], rate: int
) -> tuple[np.ndarray, float]:
    """Resample frames of one format to mono, and give the largest range of a channel in a block.

    This is done in blocks: one by one or all at once is slower.
    """
    resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
    parts: list[av.AudioFrame] = []
    largest = 0.0
    while block := list(islice(alike, BLOCK)):
        samples = np.concatenate([frame.to_ndarray() for frame in block], axis=1)
        largest = max(largest, _range(samples, block[0]))
        whole = av.AudioFrame.from_ndarray(samples, form[0], form[1])
        whole.sample_rate = form[2]
        parts += resampler.resample(whole)
    parts += resampler.resample(None)  # flush
    empty = [np.empty(0, np.float32)]
    return np.concatenate([part.to_ndarray()[0] for part in parts] or empty), largest


def _range(samples: np.ndarray, frame: av.AudioFrame) -> float:
    """The largest range of a channel, where full scale is from -1 to 1."""
    channels = (
        samples if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels).T
    )
    top, bottom = (f(axis=1).astype(np.float64) for f in (channels.max, channels.min))
    full = 1.0 if samples.dtype.kind == "f" else 2.0 ** (8 * samples.dtype.itemsize - 1)
    return float((top - bottom).max() / full)


def log_spectrogram(wave: np.ndarray) -> np.ndarray:
    """Compute log(|STFT| + FLOOR) of T whole Hann windows: (N_FFT / 2 + 1, T) float16.

    It is not standardised, because the encoders begin with batch normalisation.
    """
    windows = np.lib.stride_tricks.sliding_window_view(wave, N_FFT)[::HOP]
    hann = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
    return np.log(np.abs(fft.rfft(windows * hann)) + FLOOR).T.astype(np.float16)


def spectrogram_shape(seconds: float) -> tuple[int, int]:
    """Shape of :func:`log_spectrogram` of ``seconds`` of sound at ``RATE``."""
    return N_FFT // 2 + 1, (round(RATE * seconds) - N_FFT) // HOP + 1


def _check_length(found: float, stated: float, what: str) -> None:
    """Refuse a stream that is shorter than the file states; both in seconds."""
    share, least = MISSING_END
    if stated - found > max(share * stated, least):
        raise SampleError(f"truncated: the {what} ends early")


def _first_seconds(decoded: Iterator[av.AudioFrame], seconds: float) -> Iterator[av.AudioFrame]:
    """Yield frames of the first ``seconds`` of sound; the rest is not decoded."""
    have = 0.0
    for frame in decoded:
        yield frame
        have += frame.samples / frame.sample_rate
        if have >= seconds:
            return


def resize_and_crop(frame: av.VideoFrame, size: int) -> np.ndarray:
    """Scale the shorter side to ``size`` and crop the centre: (size, size, 3) uint8 RGB.

    A rotation or reflection that the file's header states is applied.
    """
    scale = size / min(frame.width, frame.height)
    width, height = max(size, round(frame.width * scale)), max(size, round(frame.height * scale))
    image = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="BILINEAR")
    top, left = (height - size) // 2, (width - size) // 2
    return _oriented(image[top : top + size, left : left + size], frame)


def _oriented(image: np.ndarray, frame: av.VideoFrame) -> np.ndarray:
    """Turn a square image as the file's display matrix states, by the nearest right angle.

    The matrix [[a, b, .], [c, d, .], ...] shows column x and row y of the stored frame at column
    a x + c y and row b x + d y.
    """
    if "DISPLAYMATRIX" not in frame.side_data:
        return image
    matrix = frame.side_data["DISPLAYMATRIX"]  # type: ignore[typeddict-item]  # PyAV's hints
    (a, b, _), (c, d, _), _ = np.frombuffer(matrix, np.int32).reshape(3, 3).tolist()
    if abs(b) > abs(a):
        image, a, d = image.swapaxes(0, 1), c, b
    return np.ascontiguousarray(image[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])
