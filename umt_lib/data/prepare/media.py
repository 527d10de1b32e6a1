"""Pictures and sound out of a clip, by PyAV: nothing but pip is needed.

Which frames are taken, how they are cut and how sound is resampled depend on the clip alone, so a
clip gives the same row whenever and wherever it is read. Every clip is decoded whole: seeking would
be faster, and would not see that a file ends before it should.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Literal

import av
import numpy as np

from umt_lib.data.prepare.store import Broken

RATE, N_FFT, HOP = 16_000, 256, 128  # Hz, samples, samples: the usual ones for VGG-Sound
FLOOR = 1e-7  # added to magnitudes before the logarithm
SHORTEST = 1.0  # seconds of sound
LACKING = 0.1, 0.5  # share, seconds: less than the larger of them may be missing at the end


def frames(path: Path, n: int, size: int) -> np.ndarray:
    """(n, size, size, 3) uint8: what is on the screen in the middle of each n-th of the clip.

    The shorter side is scaled to ``size``, the middle of the longer one kept.

    Raises:
        Broken: no video stream, unknown codec, zero frames, truncated, undecodable.
    """
    found: list[np.ndarray] = []
    with opened(path, "video") as (container, stream):
        length = _seconds(container, stream)
        shown, first, last = None, 0.0, 0.0
        for frame in container.decode(stream):
            if shown is None:
                first = frame.time or 0.0
            last = (frame.time or 0.0) - first
            while shown is not None and len(found) < n and last > (len(found) + 0.5) / n * length:
                found.append(square(shown, size))
            shown = frame
        if shown is None:
            raise Broken("zero frames")
        rate = float(stream.average_rate or 0)
        _whole(last + (1 / rate if rate else 0.0), length, "video")
        still = [square(shown, size)] * (n - len(found))
    return np.stack(found + still)


def waveform(path: Path, rate: int, seconds: float) -> np.ndarray:
    """(rate * seconds,) float32 in -1..1: the first ``seconds``, mono; shorter sound is repeated.

    Raises:
        Broken: no audio track, unknown codec, too short, truncated, undecodable.
    """
    wanted = round(rate * seconds)
    with opened(path, "audio") as (container, stream):
        length = _seconds(container, stream)
        decoded = _until(container.decode(stream), seconds + 1)
        parts = [_mono(form, list(alike), rate) for form, alike in groupby(decoded, _form)]
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


def _mono(form: tuple[str, str, int], alike: list[av.AudioFrame], rate: int) -> np.ndarray:
    """Frames of one form, resampled at once: one by one that costs as much as decoding them."""
    samples = np.concatenate([frame.to_ndarray() for frame in alike], axis=1)
    whole = av.AudioFrame.from_ndarray(samples, form[0], form[1])
    whole.sample_rate = form[2]
    resampler = av.AudioResampler(format="flt", layout="mono", rate=rate)
    parts = [part for frame in (whole, None) for part in resampler.resample(frame)]  # None flushes
    return np.concatenate([part.to_ndarray()[0] for part in parts] or [np.empty(0, np.float32)])


def log_spectrogram(wave: np.ndarray) -> np.ndarray:
    """(N_FFT / 2 + 1, T) float16: log(|STFT| + FLOOR), Hann window, T whole windows.

    Not standardised: the encoders begin with a batch normalisation.
    """
    windows = np.lib.stride_tricks.sliding_window_view(wave, N_FFT)[::HOP]
    hann = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
    return np.log(np.abs(np.fft.rfft(windows * hann)) + FLOOR).T.astype(np.float16)


def spectrogram_shape(seconds: float) -> tuple[int, int]:
    """Shape of :func:`log_spectrogram` of ``seconds`` of sound at ``RATE``."""
    return N_FFT // 2 + 1, (round(RATE * seconds) - N_FFT) // HOP + 1


@contextmanager
def opened(
    path: Path, kind: Literal["video", "audio"]
) -> Iterator[tuple[av.container.InputContainer, av.stream.Stream]]:
    """The container and its first stream of a kind, decoding in this thread alone."""
    try:
        with av.open(path) as container:
            streams = getattr(container.streams, kind)
            if not streams:
                raise Broken("no audio track" if kind == "audio" else "no video stream")
            if streams[0].codec_context is None:
                raise Broken(f"unknown {kind} codec")
            streams[0].codec_context.thread_count = 1  # every core has a process of its own
            yield container, streams[0]
    except av.FFmpegError as error:
        raise Broken(f"undecodable {kind} ({error.strerror})") from None


def _seconds(container: av.container.InputContainer, stream: av.stream.Stream) -> float:
    """What the file says of its length; 0 if nothing."""
    if stream.duration is not None:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / av.time_base


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
