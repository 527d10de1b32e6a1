"""Read TFRecord files of ``tf.train.Example`` without TensorFlow, with every checksum compared.

A record is its length (8 bytes, little-endian), a checksum of these bytes, the data, and a checksum
of the data. A checksum is a masked CRC-32C (Castagnoli): rotated right by 15 bits, plus 0xa282ead8.
The data is a protocol buffer (https://protobuf.dev/programming-guides/encoding):
``Example {features = 1}``, ``Features {map<string, Feature> feature = 1}``, ``Feature {bytes_list =
1 | float_list = 2 | int64_list = 3}``, and ``{repeated value = 1}`` for each list.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np

POLYNOMIAL = 0x82F63B78  # Castagnoli, bits reversed
MASK = 0xA282EAD8
VARINT, LENGTH, FIXED = 0, 2, {1: 8, 5: 4}  # wire types; {type: bytes}
BYTES, FLOAT, INT64 = 1, 2, 3  # kinds of Feature
Example: TypeAlias = dict[str, "list[bytes] | np.ndarray"]


class RecordError(Exception):
    """What is wrong with a file and from which record on."""


def examples(path: Path) -> list[Example]:
    """Read all examples of a file: {feature: list of bytes, float32 (k,) or int64 (k,)} each.

    Raises:
        RecordError: the file is truncated, a checksum differs, or a record is not an Example.
        OSError: the file cannot be read.
    """
    records = _records(path.read_bytes())
    found = []
    for number, data in enumerate(records, 1):
        try:
            found.append(_example(data))
        except ValueError as fault:
            raise RecordError(f"record {number} is not a tf.train.Example ({fault})") from None
    return found


def _records(content: bytes) -> list[bytes]:
    """Cut a file into the data of its records, and compare all checksums."""
    parts, stated, at = list[bytes](), list[int](), 0
    while at < len(content):
        size = int.from_bytes(content[at : at + 8], "little")
        end = at + 12 + size
        if len(content) < end + 4:  # truncated, unless it is the length that is wrong
            head = content[at : at + 12]
            if len(head) == 12 and not _same([head[:8]], [int.from_bytes(head[8:], "little")])[0]:
                raise RecordError(
                    f"altered: the length of record {len(parts) // 2 + 1} has another checksum"
                )
            raise RecordError(f"truncated: it ends within record {len(parts) // 2 + 1}")
        parts += [content[at : at + 8], content[at + 12 : end]]
        stated += [int.from_bytes(content[i : i + 4], "little") for i in (at + 8, end)]
        at = end + 4
    if len(wrong := np.flatnonzero(~_same(parts, stated))):
        what = ("length of record", "record")[wrong[0] % 2]
        raise RecordError(f"altered: the {what} {wrong[0] // 2 + 1} has another checksum")
    return parts[1::2]


def _same(parts: list[bytes], stated: list[int]) -> np.ndarray:
    """Whether each part has its masked checksum, (n,)."""
    crc = crc32c(parts)
    return (crc >> 15 | crc << 17) + np.uint32(MASK) == np.array(stated, dtype=np.uint32)


def crc32c(parts: list[bytes]) -> np.ndarray:
    """CRC-32C of each of ``parts``, (n,) uint32: byte by byte, of all parts at once.

    >>> [hex(c) for c in crc32c([b"123456789", b""])]
    ['0xe3069283', '0x0']
    """
    order = sorted(range(len(parts)), key=lambda i: -len(parts[i]))
    sizes = np.array([len(parts[i]) for i in order], dtype=np.int64)
    columns = np.zeros((max(sizes, default=0), len(parts)), dtype=np.uint8)
    for column, i in enumerate(order):
        columns[: len(parts[i]), column] = np.frombuffer(parts[i], dtype=np.uint8)
    crc = np.full(len(parts), 0xFFFFFFFF, dtype=np.uint32)
    longer = np.searchsorted(-sizes, -np.arange(len(columns)))  # parts longer than each position
    for row, n in zip(columns, longer.tolist(), strict=True):
        now = crc[:n]
        crc[:n] = TABLE[(now ^ row[:n]) & 0xFF] ^ now >> 8
    back = np.empty_like(crc)
    back[order] = ~crc
    return back


def _table() -> np.ndarray:
    """The checksum's change by one byte, (256,)."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = table >> 1 ^ np.where(table & 1, POLYNOMIAL, 0).astype(np.uint32)
    return table


TABLE = _table()


def _example(data: bytes) -> Example:
    """The features of an Example by name."""
    found: Example = {}
    for _, features in _fields(data, {1}):
        for _, entry in _fields(features, {1}):
            name, feature = (b"".join(v for _, v in _fields(entry, {key})) for key in (1, 2))
            found[name.decode()] = _feature(feature)
    return found


def _feature(data: bytes) -> list[bytes] | np.ndarray:
    """The values of a Feature; numbers may be packed into one field or be a field each."""
    lists = list(_fields(data, {BYTES, FLOAT, INT64}))
    if len(lists) != 1:
        raise ValueError(f"a feature of {len(lists)} lists")
    kind, values = lists[0]
    items = [value for _, value in _fields(values, {1})]
    if kind == BYTES:
        return items
    joined = b"".join(items)
    if kind == FLOAT:
        return np.frombuffer(joined, dtype="<f4")
    numbers, at = [], 0
    while at < len(joined):
        number, at = _varint(joined, at)
        numbers.append(number)
    return np.array(numbers, dtype=np.uint64).astype(np.int64)


def _fields(data: bytes, wanted: set[int]) -> Iterator[tuple[int, bytes]]:
    """The fields of a message whose numbers are ``wanted``: (number, bytes of the value)."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == VARINT:
            end = _varint(data, at)[1]
        elif wire == LENGTH:
            size, at = _varint(data, at)
            end = at + size
        elif wire in FIXED:
            end = at + FIXED[wire]
        else:
            raise ValueError(f"wire type {wire}")
        if end > len(data):
            raise ValueError("a field ends after its message")
        if number in wanted:
            yield number, data[at:end]
        at = end


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at ``at``, seven bits a byte, lowest first; and where the next field begins."""
    number = shift = 0
    while True:
        if at == len(data) or shift == 70:
            raise ValueError("a number without an end")
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number & 0xFFFFFFFFFFFFFFFF, at
