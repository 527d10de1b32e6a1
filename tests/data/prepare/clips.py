"""Clips in the real formats, a second or two long: the class is in the sound and in the motion."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

RATE, FPS, SIZE = 16_000, 10, 64
TONES = (500.0, 1000.0, 2000.0, 4000.0)  # Hz, by class


def write(
    path: Path,
    label: int = 0,
    seconds: float = 1.2,
    video: str | None = "libx264",
    sound: str | None = "aac",
    rate: int = RATE,
    width: int = SIZE,
    frames: int | None = None,
    draw: Callable[[int, int, int], np.ndarray] | None = None,
    turned: tuple[int, int, int, int] | None = None,
    **options: str,
) -> Path:
    """A clip of class ``label``: a tone, and a bright bar that moves down at the class's speed.

    ``video`` and ``sound`` name encoders, None leaves the stream out; ``frames`` instead of as many
    as the seconds hold; ``draw`` instead of :func:`picture`; ``turned`` (a, b, c, d) is written
    into the header of an mp4 as the matrix by which players turn the pictures.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options=options) as container:
        if video:
            pictures = container.add_stream(video, rate=FPS)
            pictures.width, pictures.height, pictures.pix_fmt = width, SIZE, "yuv420p"
        if sound:
            audio = container.add_stream(sound, rate=rate)
            audio.layout = "mono"
        if video:
            for i in range(round(seconds * FPS) if frames is None else frames):
                frame = av.VideoFrame.from_ndarray(
                    (draw or picture)(i, label, width), format="rgb24"
                )
                container.mux(pictures.encode(frame))
            container.mux(pictures.encode())
        if sound:
            wave = 0.3 * np.sin(2 * np.pi * TONES[label] * np.arange(round(seconds * rate)) / rate)
            kind = audio.format.name
            wave = (wave * 32767).astype(np.int16) if kind == "s16" else wave.astype(np.float32)
            frame = av.AudioFrame.from_ndarray(wave[None], format=kind, layout="mono")
            frame.sample_rate = rate
            container.mux(audio.encode(frame))
            container.mux(audio.encode())
    if turned:
        turn(path, *turned)
    return path


def turn(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Write the matrix (a, b, c, d) into the header of the first stream of an mp4."""
    raw = bytearray(path.read_bytes())
    header = raw.index(b"tkhd") + 4 + 40  # the matrix is behind 40 bytes of version 0
    raw[header : header + 36] = struct.pack(
        ">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30
    )
    path.write_bytes(raw)


def picture(i: int, label: int, width: int = SIZE) -> np.ndarray:
    """Frame ``i``: grey of 10 i, with a bar at row 4 i (label + 1)."""
    image = np.full((SIZE, width, 3), 10 * i % 200, np.uint8)
    top = 4 * i * (label + 1) % SIZE
    image[top : top + 4] = 250
    return image


def cut(path: Path, share: float) -> Path:
    """Leave only the first ``share`` of a file."""
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    return path


def other_codec(path: Path, code: bytes = b"avc1") -> Path:
    """Name a codec in an mp4 that nobody knows."""
    path.write_bytes(path.read_bytes().replace(code, b"zzzz"))
    return path
