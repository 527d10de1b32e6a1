"""Pictures and sound out of a clip, by PyAV: nothing but pip is needed.

Which frames are taken, how they are cut and how sound is resampled depend on the clip alone, so a
clip gives the same row whenever and wherever it is read. Every clip is decoded whole: seeking would
be faster, and would not see that a file ends before it should. A file is opened once for both: to
look into its headers takes time too.
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
from scipy import fft

from umt_lib.data.prepare.store import Broken

RATE, N_FFT, HOP = 16_000, 256, 128  # Hz, samples, samples: the usual ones for VGG-Sound
FLOOR = 1e-7  # added to magnitudes before the logarithm
SHORTEST = 1.0  # seconds of sound
STRETCH = 32  # frames of sound, most of a second
LACKING = 0.1, 0.5  # share, seconds: less than the larger of them may be missing at the end
Kind = Literal["video", "audio"]


class Clip:
    """An open file, its packets (compressed: about a megabyte) sorted by stream."""

    def __init__(self, container: av.container.InputContainer):
        self.container = container
        self.packets: dict[int, list[av.Packet]] = defaultdict(list)
        for packet in container.demux():
            self.packets[packet.stream_index].append(packet)

    def stream(self, kind: Kind) -> av.stream.Stream:
        """The first stream of a kind.

        Raises:
            Broken: there is none, or its codec is unknown.
        """
        streams = getattr(self.container.streams, kind)
        if not streams:
            raise Broken("no audio track" if kind == "audio" else "no video stream")
        if streams[0].codec_context is None:
            raise Broken(f"unknown {kind} codec")
        return streams[0]

    def seconds(self, kind: Kind) -> float:
        """What the file says of the length of that stream; 0 if nothing."""
        stream = self.stream(kind)
        if stream.duration is not None and stream.time_base is not None:
            return float(stream.duration * stream.time_base)
        return (self.container.duration or 0) / av.time_base

    def decoded(self, kind: Kind) -> Iterator[Any]:
        """The frames of that stream (VideoFrame, AudioFrame), decoded in this thread alone; once.

        Raises:
            Broken: see :meth:`stream`; or undecodable.
        """
        stream = self.stream(kind)
        stream.codec_context.thread_count = 1  # every core has a process of its own
        try:
            for packet in self.packets[stream.index]:
                yield from packet.decode()
        except av.FFmpegError as error:
            raise Broken(f"undecodable {kind} ({error.strerror})") from None


@contextmanager
def opened(path: Path) -> Iterator[Clip]:
    """The clip in a file.

    Raises:
        Broken: it is none, or truncated.
    """
    try:
        with av.open(path) as container:
            yield Clip(container)
    except av.FFmpegError as error:
        raise Broken(f"undecodable file ({error.strerror})") from None


def frames(clip: Clip, n: int, size: int) -> np.ndarray:
    """(n, size, size, 3) uint8: what is on the screen in the middle of each n-th of the clip.

    The shorter side is scaled to ``size``, the middle of the longer one kept.

    Raises:
        Broken: no video stream, unknown codec, zero frames, truncated, undecodable.
    """
    found: list[np.ndarray] = []
    length = clip.seconds("video")
    shown, first, last = None, 0.0, 0.0
    for frame in clip.decoded("video"):
        if shown is None:
            first = frame.time or 0.0
        last = (frame.time or 0.0) - first
        while shown is not None and len(found) < n and last > (len(found) + 0.5) / n * length:
            found.append(square(shown, size))
        shown = frame
    if shown is None:
        raise Broken("zero frames")
    rate = float(clip.stream("video").average_rate or 0)
    _whole(last + (1 / rate if rate else 0.0), length, "video")
    still = [square(shown, size)] * (n - len(found))
    return np.stack(found + still)


def waveform(clip: Clip, rate: int, seconds: float) -> np.ndarray:
    """(rate * seconds,) float32 in -1..1: the first ``seconds``, mono; shorter sound is repeated.

    Raises:
        Broken: no audio track, unknown codec, too short, truncated, undecodable.
    """
    wanted, length = round(rate * seconds), clip.seconds("audio")
    decoded = _until(clip.decoded("audio"), seconds + 1)
    parts = [_mono(form, alike, rate) for form, alike in groupby(decoded, _form)]
    have = sum(map(len, parts))
    if have < SHORTEST * rate:
        _whole(have / rate, length, "sound")
        raise Broken(f"too short: less than {SHORTEST:g} s of sound")
    if have < wanted:
        _whole(have / rate, length, "sound")
    return np.resize(np.concatenate(parts), wanted)


def _form(frame: av.AudioFrame) -> tuple[str, str, int]:
    """What may change in the middle of a clip: type of samples, channels, rate."""
    return frame.format.name, frame.layout.name, frame.sample_rate


def _mono(form: tuple[str, str, int], alike: Iterator[av.AudioFrame], rate: int) -> np.ndarray:
    """Frames of one form, resampled a stretch at a time: one by one or all at once is slower."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
    parts: list[av.AudioFrame] = []
    while stretch := list(islice(alike, STRETCH)):
        samples = np.concatenate([frame.to_ndarray() for frame in stretch], axis=1)
        whole = av.AudioFrame.from_ndarray(samples, form[0], form[1])
        whole.sample_rate = form[2]
        parts += resampler.resample(whole)
    parts += resampler.resample(None)  # what is left in it
    return np.concatenate([part.to_ndarray()[0] for part in parts] or [np.empty(0, np.float32)])


def log_spectrogram(wave: np.ndarray) -> np.ndarray:
    """(N_FFT / 2 + 1, T) float16: log(|STFT| + FLOOR), Hann window, T whole windows.

    Not standardised: the encoders begin with a batch normalisation.
    """
    windows = np.lib.stride_tricks.sliding_window_view(wave, N_FFT)[::HOP]
    hann = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
    return np.log(np.abs(fft.rfft(windows * hann)) + FLOOR).T.astype(np.float16)


def spectrogram_shape(seconds: float) -> tuple[int, int]:
    """Shape of :func:`log_spectrogram` of ``seconds`` of sound at ``RATE``."""
    return N_FFT // 2 + 1, (round(RATE * seconds) - N_FFT) // HOP + 1


def _whole(found: float, stated: float, what: str) -> None:
    share, least = LACKING
    if stated - found > max(share * stated, least):
        raise Broken(f"truncated: the {what} ends early")


def _until(decoded: Iterator[av.AudioFrame], seconds: float) -> Iterator[av.AudioFrame]:
    """Frames up to ``seconds`` of sound: the rest is not decoded."""
    have = 0.0
    for frame in decoded:
        yield frame
        have += frame.samples / frame.sample_rate
        if have >= seconds:
            return


def square(frame: av.VideoFrame, size: int) -> np.ndarray:
    """(size, size, 3) uint8 RGB: scaled, then the middle."""
    scale = size / min(frame.width, frame.height)
    width, height = max(size, round(frame.width * scale)), max(size, round(frame.height * scale))
    picture = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="BILINEAR")
    top, left = (height - size) // 2, (width - size) // 2
    return picture[top : top + size, left : left + size]
