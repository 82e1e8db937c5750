"""How GGUF codes ternary matrices and tables of floats: block formats, and their numbers in files."""
import struct

import numpy as np

from checkpoint import bytes_float, float_bytes


# ---------------------------------------------------------------- ternary matrices

def pack_i2s(trits, scale):
    c = (trits.reshape(-1, 4, 32) + 1).astype(np.uint8)
    codes = c[:, 0] << 6 | c[:, 1] << 4 | c[:, 2] << 2 | c[:, 3]
    return codes.tobytes() + struct.pack("<f", scale) + b"\xA5" * 28  # the padding means nothing


def unpack_i2s(raw, rows, columns):
    count = rows * columns // 4
    b = np.frombuffer(raw[:count], np.uint8).reshape(-1, 32)
    codes = np.stack([(b >> s) & 3 for s in (6, 4, 2, 0)], 1)
    assert codes.max() < 3
    return (codes.reshape(rows, columns).astype(np.int8) - 1), struct.unpack_from("<f", raw, count)[0]


def pack_tq2(trits, scale):
    c = (trits.reshape(-1, 2, 4, 32) + 1).astype(np.uint8)
    codes = c[:, :, 0] | c[:, :, 1] << 2 | c[:, :, 2] << 4 | c[:, :, 3] << 6
    return with_scales(codes.reshape(-1, 64), trits, scale)


def with_scales(codes, trits, scale):
    """Appends an f16 scale to every block, 0 to blocks of zeros, as llama.cpp does."""
    d = np.where(np.any(trits.reshape(-1, 256), 1), np.float16(scale), np.float16(0))
    return np.concatenate([codes, d.astype("<f2").view(np.uint8).reshape(-1, 2)], 1).tobytes()


def split_scales(raw, size):
    b = np.frombuffer(raw, np.uint8).reshape(-1, size + 2)
    d = b[:, size:].copy().view("<f2").astype(np.float32)
    scales = set(d[d != 0].tolist())
    assert len(scales) == 1
    return b[:, :size], scales.pop()


def unpack_tq2(raw, rows, columns):
    b, scale = split_scales(raw, 64)
    b = b.reshape(-1, 2, 32)
    codes = np.stack([(b >> s) & 3 for s in (0, 2, 4, 6)], 2)
    assert codes.max() < 3
    return codes.reshape(rows, columns).astype(np.int8) - 1, scale


TQ1_RUNS = ((0, 32, 5), (160, 16, 5), (240, 4, 4))  # first element, bytes, digits


def pack_tq1(trits, scale):
    c = trits.reshape(-1, 256).astype(np.uint32) + 1
    c &= 0xFF  # -1 + 1 in uint32
    out = []
    for first, size, digits in TQ1_RUNS:
        part = c[:, first:first + size * digits].reshape(-1, digits, size)
        q = sum(part[:, n] * 3 ** (4 - n) for n in range(digits))
        out.append(((256 * q + 242) // 243).astype(np.uint8))
    return with_scales(np.concatenate(out, 1), trits, scale)


def unpack_tq1(raw, rows, columns):
    b, scale = split_scales(raw, 52)
    out, at = [], 0
    for _, size, digits in TQ1_RUNS:
        part = b[:, at:at + size].astype(np.uint32)
        at += size
        out += [(((part * 3 ** n) & 255) * 3) >> 8 for n in range(digits)]
    return (np.concatenate(out, 1).astype(np.int8) - 1).reshape(rows, columns), scale


TERNARY = {  # GGUF type id, file type, pack, unpack
    "i2_s": (36, 40, pack_i2s, unpack_i2s),
    "tq1_0": (34, 36, pack_tq1, unpack_tq1),
    "tq2_0": (35, 37, pack_tq2, unpack_tq2),
}


# ---------------------------------------------------------------- tables

def pack_q8_0(x):
    b = x.reshape(-1, 32)
    d = (np.abs(b).max(1) / 127).astype(np.float16)
    scale = np.where(d == 0, 1, d).astype(np.float32)
    q = np.clip(np.rint(b / scale[:, None]), -127, 127).astype(np.int8)
    return np.concatenate([d.view(np.uint8).reshape(-1, 2), q.view(np.uint8)], 1).tobytes()


def unpack_q8_0(raw):
    b = np.frombuffer(raw, np.uint8).reshape(-1, 34)
    d = b[:, :2].copy().view("<f2").astype(np.float32)
    return d * b[:, 2:].copy().view(np.int8)


def pack_q4_0(x):
    b = x.reshape(-1, 32)
    top = b[np.arange(len(b)), np.abs(b).argmax(1)]
    d = (top / -8).astype(np.float16)
    scale = np.where(d == 0, 1, d).astype(np.float32)
    q = np.clip(np.rint(b / scale[:, None]) + 8, 0, 15).astype(np.uint8)
    return np.concatenate([d.view(np.uint8).reshape(-1, 2), q[:, :16] | q[:, 16:] << 4], 1).tobytes()


def unpack_q4_0(raw):
    b = np.frombuffer(raw, np.uint8).reshape(-1, 18)
    d = b[:, :2].copy().view("<f2").astype(np.float32)
    q = np.concatenate([b[:, 2:] & 15, b[:, 2:] >> 4], 1)
    return d * (q.astype(np.float32) - 8)


def pack_q6_k(x):
    b = x.reshape(-1, 16, 16)
    peak = np.abs(b).max(2) / 31
    d = (peak.max(1) / 127).astype(np.float16)
    unit = np.where(d == 0, 1, d).astype(np.float32)
    s = np.clip(np.rint(peak / unit[:, None]), 0, 127).astype(np.int8)
    step = np.where(s == 0, 1, s) * unit[:, None]
    q = (np.clip(np.rint(b / step[:, :, None]), -32, 31) + 32).astype(np.uint8).reshape(-1, 2, 4, 32)
    low = np.concatenate([q[:, :, 0] & 15 | (q[:, :, 2] & 15) << 4, q[:, :, 1] & 15 | (q[:, :, 3] & 15) << 4], 2)
    h = q >> 4
    high = h[:, :, 0] | h[:, :, 1] << 2 | h[:, :, 2] << 4 | h[:, :, 3] << 6
    parts = [low.reshape(-1, 128), high.reshape(-1, 64), s.view(np.uint8), d.view(np.uint8).reshape(-1, 2)]
    return np.concatenate(parts, 1).tobytes()


def unpack_q6_k(raw):
    b = np.frombuffer(raw, np.uint8).reshape(-1, 210)
    low, high = b[:, :128].reshape(-1, 2, 2, 32), b[:, 128:192].reshape(-1, 2, 32)
    s, d = b[:, 192:208].copy().view(np.int8), b[:, 208:].copy().view("<f2").astype(np.float32)
    quarters = [(low[:, :, 0] & 15) | ((high >> 0) & 3) << 4, (low[:, :, 1] & 15) | ((high >> 2) & 3) << 4,
                (low[:, :, 0] >> 4) | ((high >> 4) & 3) << 4, (low[:, :, 1] >> 4) | ((high >> 6) & 3) << 4]
    q = np.stack(quarters, 2).reshape(-1, 16, 16).astype(np.float32) - 32
    return (d[:, :, None] * (s.astype(np.float32)[:, :, None] * q)).reshape(-1, 256)


TABLES = {  # GGUF type id, pack, unpack
    "f32": (0, lambda x: float_bytes(x, "f32"), lambda r: bytes_float(r, "f32")),
    "f16": (1, lambda x: float_bytes(x, "f16"), lambda r: bytes_float(r, "f16")),
    "bf16": (30, lambda x: float_bytes(x, "bf16"), lambda r: bytes_float(r, "bf16")),
    "q8_0": (8, pack_q8_0, unpack_q8_0),
    "q4_0": (2, pack_q4_0, unpack_q4_0),
    "q6_k": (14, pack_q6_k, unpack_q6_k),
}
