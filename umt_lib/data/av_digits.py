"""AV-digits: spoken digits and handwritten digits, paired by class.

The sound is the Free Spoken Digit Dataset (FSDD, github.com/Jakobovski/free-spoken-digit-dataset,
commit 26eb9aa, CC BY-SA 4.0): 6 speakers, 50 recordings of each of ten digits, at 8 kHz. The images
are scikit-learn's copy of the UCI optical digits test set. Each recording is paired with one
image of the same digit, drawn at random and fixed for a fold, so that

    p(sound, image | y) = p(sound | y) p(image | y)

and there are no paired features: the modalities are independent given the class. The images of
train, validation and test are disjoint; there are fewer images than recordings, so several
recordings share an image.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
import zlib
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from umt_lib.data import downloads
from umt_lib.data.downloads import fetch, optional_package
from umt_lib.data.splits import SPLIT_SEED, Split, Splits, five_folds, holdout
from umt_lib.errors import StudyError, nearest
from umt_lib.style import Figure

Cut = Literal["speaker", "index"]
ARCHIVE = "free-spoken-digit-dataset-26eb9aa.tar.gz"
URL = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/26eb9aa.tar.gz"
# sha256 of the sorted lines "<name> <sha256>" of all recordings; independent of the packing.
DIGEST = "3ee995d6778c7ff34ae05297eb4f0002f5097dec693dcf8735ec30e8d8146944"
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
DIGITS = tuple("0123456789")
TAKES = 50  # recordings of each digit by each speaker
OFFICIAL_TEST = 5  # takes 0 to 4 are the test set of FSDD's authors
RATE = 8000  # Hz
WINDOW, HOP = 256, 100  # window length and hop of the STFT in samples: 32 and 12.5 ms
MELS, FRAMES = 32, 64  # 0.8 s; 98% of the recordings are shorter
FLOOR = 1.0  # power added before the logarithm, where recordings have mean power 1
FIX = "delete it and run the same command again to download it"
FRACTIONS = (0.5, 0.2, 0.3)  # of the images of a digit: train, validation, test
MAX_GREY = 16  # the brightest grey level of the 8x8 images


def load(split: Cut = "speaker", fold: int = 0) -> Splits:
    """Load "audio", float32 (n, 1, 32, 64), and "image", float32 (n, 1, 8, 8).

    Audio is a log-mel spectrogram (mel bands, frames of 12.5 ms) of 0.8 s around the middle of the
    recording, zero-padded if the recording is shorter. Recordings are scaled to equal power, and
    each band's mean over the frames is subtracted, which removes loudness, microphone and part of
    the voice. Then each modality is standardised by the mean and standard deviation of its training
    values. There is no augmentation: shifts in time, in pitch and of the image did not help.

    Args:
        split: "speaker": five folds by speaker, so one or two speakers for validation and for test;
            ``groups`` are speakers. "index": the official split, takes 0 to 4 of every speaker and
            digit for test, a stratified tenth of the rest for validation; all speakers are in all
            splits, no groups, and ``fold`` changes only the images.
        fold: 0 to 4, see :func:`umt_lib.data.splits.five_folds`; it also draws the images.

    Raises:
        StudyError: the archive cannot be found or downloaded, is damaged, or has other content than
            the known one; a package is not installed; or ``split`` is unknown.
    """
    if split not in get_args(Cut):
        raise StudyError(
            f"data set 'av-digits': unknown split {split!r}{nearest(split, get_args(Cut))}"
        )
    recordings = _recordings(fetch(ARCHIVE, URL, "av-digits"))
    parts = np.array([name.removesuffix(".wav").split("_") for name in recordings])
    y, speaker, take = parts[:, 0].astype(np.int64), parts[:, 1], parts[:, 2].astype(int)
    rows = Split({"audio": _spectrograms(recordings)}, torch.from_numpy(y))
    if split == "speaker":
        groups = Split(rows.x, rows.y, speaker)
        cut = [groups.take(part) for part in five_folds(y, speaker, fold)]
    else:
        official = take < OFFICIAL_TEST
        cut = [*holdout(rows.take(np.flatnonzero(~official)), 0.1)]
        cut.append(rows.take(np.flatnonzero(official)))
    digits = load_digits()
    images = torch.from_numpy(digits.images.astype(np.float32) / MAX_GREY).unsqueeze(1)
    paired = _paired_images(cut, digits.target, fold)
    splits = [
        Split({**part.x, "image": images[index]}, part.y, part.groups)
        for part, index in zip(cut, paired, strict=True)
    ]
    train, validation, test = _standardised(splits)
    return Splits(train, validation, test, DIGITS, source())


def is_downloaded() -> bool:
    """Whether the archive of recordings is on this machine."""
    return downloads.local_path(ARCHIVE) is not None


def source() -> str:
    """Digest of the recordings (those that :func:`load` accepts) and of the images."""
    digits = load_digits()
    raw = DIGEST.encode() + digits.images.tobytes() + digits.target.tobytes()
    return hashlib.sha256(raw).hexdigest()


def _recordings(path: Path) -> dict[str, bytes]:
    """Read and verify all 3,000 recordings: {"0_george_0.wav": its bytes}, sorted by name."""
    found = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                wanted = member.isfile() and member.name.endswith(".wav")
                if wanted and (content := archive.extractfile(member)) is not None:
                    found[Path(member.name).name] = content.read()
    except (OSError, EOFError, tarfile.TarError, zlib.error) as fault:
        raise StudyError(
            f"data set 'av-digits': {path} cannot be read ({type(fault).__name__}: {fault}); {FIX}"
        ) from None
    wanted = [f"{d}_{s}_{t}.wav" for d in DIGITS for s in SPEAKERS for t in range(TAKES)]
    if missing := [name for name in wanted if name not in found]:
        raise StudyError(
            f"data set 'av-digits': {path} lacks {len(missing)} of {len(wanted)} recordings, first "
            f"{missing[0]}; {FIX}"
        )
    found = dict(sorted(found.items()))
    lines = [f"{name} {hashlib.sha256(wav).hexdigest()}" for name, wav in found.items()]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    if digest != DIGEST:
        raise StudyError(
            f"data set 'av-digits': the recordings in {path} have the digest {digest[:12]}..., not "
            f"{DIGEST[:12]}...; {FIX}"
        )
    return found


def _spectrograms(recordings: dict[str, bytes]) -> Tensor:
    """Log-mel power minus its mean over time, (n, 1, MELS, FRAMES), of centred recordings."""
    soundfile, torchaudio = (
        optional_package(p, "data set 'av-digits'") for p in ("soundfile", "torchaudio")
    )
    length = (FRAMES - 1) * HOP
    waves = np.zeros((len(recordings), length), np.float32)
    for row, wav in zip(waves, recordings.values(), strict=True):
        wave, _ = soundfile.read(io.BytesIO(wav), dtype="float32")
        wave /= np.sqrt(np.mean(wave**2))
        margin = (length - len(wave)) // 2  # negative if the recording is longer
        kept = wave[max(0, -margin) :][:length]
        row[max(0, margin) :][: len(kept)] = kept
    mel = torchaudio.transforms.MelSpectrogram(RATE, n_fft=WINDOW, hop_length=HOP, n_mels=MELS)
    power = torch.cat([mel(some) for some in torch.from_numpy(waves).split(250)])
    x = (power + FLOOR).log()  # (n, MELS, FRAMES)
    return (x - x.mean(dim=2, keepdim=True)).unsqueeze(1)


def _paired_images(splits: list[Split], target: np.ndarray, fold: int) -> list[np.ndarray]:
    """Draw an image of its digit for each row of each split: one array of image indices per split.

    The images of the splits are disjoint, and the images of a split are used about equally often.

    Args:
        target: (images,) the digit of each image.
        fold: every fold has its own draw.
    """
    rng = np.random.default_rng([SPLIT_SEED, fold])
    chosen = [np.empty(len(part), np.int64) for part in splits]
    for k in range(len(DIGITS)):
        order = rng.permutation(np.flatnonzero(target == k))
        ends = np.round(np.cumsum(FRACTIONS)[:-1] * len(order)).astype(int)
        for part, index, pool in zip(splits, chosen, np.split(order, ends), strict=True):
            of = np.flatnonzero(part.y.numpy() == k)
            index[of] = rng.permutation(np.resize(pool, len(of)))
    return chosen


def _standardised(splits: list[Split]) -> list[Split]:
    """Standardise each modality by its mean and standard deviation over the first split."""
    scale = {m: (x.mean(), x.std()) for m, x in splits[0].x.items()}
    return [
        Split({m: (x - scale[m][0]) / scale[m][1] for m, x in part.x.items()}, part.y, part.groups)
        for part in splits
    ]


def picture(splits: Splits) -> Figure:
    """Plot one training sample per digit: the spectrogram above the image."""
    train, columns = splits.train, len(splits.classes)
    figure = Figure(figsize=(1.05 * columns, 2.6), layout="constrained")
    axes = figure.subplots(len(train.x), columns, squeeze=False)
    for k, name in enumerate(splits.classes):
        i = int((train.y == k).nonzero()[0, 0])
        axes[0, k].set_title(name)
        axes[0, k].imshow(train.x["audio"][i, 0].numpy(), origin="lower", aspect="auto")
        axes[1, k].imshow(train.x["image"][i, 0].numpy(), cmap="gray_r")
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
    axes[0, 0].set_ylabel("audio\n(mel, 0 to 4 kHz)", fontsize="small")
    axes[0, 0].set_xlabel("time, 0.8 s", fontsize="small")
    axes[1, 0].set_ylabel("image", fontsize="small")
    return figure
