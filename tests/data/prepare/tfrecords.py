"""TFRecord files, written by the format's description and not by the code that reads them."""

from __future__ import annotations

import struct


def checksum(data: bytes) -> bytes:
    """The masked CRC-32C, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + checksum(length) + data + checksum(data)


def varint(number: int) -> bytes:
    number &= 2**64 - 1
    bits = [number >> shift & 0x7F for shift in range(0, max(number.bit_length(), 1), 7)]
    return bytes([*(b | 0x80 for b in bits[:-1]), bits[-1]])


def field(number: int, data: bytes) -> bytes:
    """A field of the wire type that has a length."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def example(**features: list[bytes] | list[int] | list[float]) -> bytes:
    """A tf.train.Example; the type of a list is that of its first value."""
    entries = b""
    for name, values in features.items():
        if isinstance(values[0], bytes):
            kind, packed = 1, b"".join(field(1, v) for v in values)
        elif isinstance(values[0], float):
            kind, packed = 2, field(1, struct.pack(f"<{len(values)}f", *values))
        else:
            kind, packed = 3, field(1, b"".join(varint(v) for v in values))
        entries += field(1, field(1, name.encode()) + field(2, field(kind, packed)))
    return field(1, entries)
