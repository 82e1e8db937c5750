#!/usr/bin/env python3
"""Reads and writes checkpoints of BitNet b1.58, written from the descriptions of the formats.

rotor's tests use it so that rotor's readers and writers do not share a mistake with the files that
test them. It favours being short over being fast. Needs numpy.

  model_files.py write IN OUT KIND [options]   convert a checkpoint
  model_files.py random OUT KIND [options]     write a small random model
  model_files.py compare A B [--table X]       exit 0 if both keep the rules of their format, and
                                               trits, scales, norms and tables agree
"""
import argparse
import json
import os
import struct
import sys

import numpy as np

PROJECTIONS = {  # Hugging Face stem, GGUF stem, rows, columns
    "q": ("self_attn.q_proj", "attn_q", "q", "d"),
    "k": ("self_attn.k_proj", "attn_k", "kv", "d"),
    "v": ("self_attn.v_proj", "attn_v", "kv", "d"),
    "o": ("self_attn.o_proj", "attn_output", "d", "q"),
    "gate": ("mlp.gate_proj", "ffn_gate", "f", "d"),
    "up": ("mlp.up_proj", "ffn_up", "f", "d"),
    "down": ("mlp.down_proj", "ffn_down", "d", "f"),
}
NORMS = {
    "input": ("input_layernorm", "attn_norm", "d"),
    "attn_sub": ("self_attn.attn_sub_norm", "attn_sub_norm", "q"),
    "post": ("post_attention_layernorm", "ffn_norm", "d"),
    "ffn_sub": ("mlp.ffn_sub_norm", "ffn_sub_norm", "f"),
}


class Model:
    """config: keys of config.json; trits[layer, name]: int8 [rows, columns]; scales alike;
    norms[layer, name]; final; embedding and head (or None): float32."""

    def __init__(self, config):
        self.config = dict(config)
        self.trits, self.scales, self.norms = {}, {}, {}
        self.final = self.embedding = self.head = None
        self.tokenizer = None  # tokens, types, merges

    def sizes(self):
        c = self.config
        dim = c["hidden_size"] // c["num_attention_heads"]
        return {"d": c["hidden_size"], "q": dim * c["num_attention_heads"],
                "kv": dim * c["num_key_value_heads"], "f": c["intermediate_size"]}

    def layers(self):
        return range(self.config["num_hidden_layers"])


# ---------------------------------------------------------------- floats

def to_bf16(x):
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def from_bf16(halves):
    return (halves.astype(np.uint32) << 16).view(np.float32)


def float_bytes(x, kind):
    if kind == "bf16":
        return to_bf16(x).tobytes()
    return np.asarray(x, {"f16": "<f2", "f32": "<f4"}[kind]).tobytes()


def bytes_float(raw, kind):
    if kind == "bf16":
        return from_bf16(np.frombuffer(raw, "<u2"))
    return np.frombuffer(raw, {"f16": "<f2", "f32": "<f4"}[kind]).astype(np.float32)


# ---------------------------------------------------------------- ternary codes

def pack_strided(trits):
    rows, columns = trits.shape
    packed = -(-rows // 4)
    codes = np.zeros((4 * packed, columns), np.uint8)
    codes[:rows] = trits + 1
    c = codes.reshape(4, packed, columns)
    return c[0] | c[1] << 2 | c[2] << 4 | c[3] << 6


def unpack_strided(raw, rows):
    parts = np.concatenate([(raw >> s) & 3 for s in (0, 2, 4, 6)])
    assert parts.max() < 3
    return (parts[:rows].astype(np.int8) - 1)


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


# ---------------------------------------------------------------- block formats of tables

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


# ---------------------------------------------------------------- safetensors

def read_container(path):
    raw = open(path, "rb").read()
    length = struct.unpack_from("<Q", raw)[0]
    header = json.loads(raw[8:8 + length])
    header.pop("__metadata__", None)
    data = raw[8 + length:]
    assert raw[8:9] == b"{" and length % 8 == 0
    end = 0
    for name, t in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        size = int(np.prod(t["shape"])) * {"U8": 1, "BF16": 2, "F16": 2, "F32": 4}[t["dtype"]]
        assert t["data_offsets"] == [end, end + size], f"{name}: a hole, an overlap or a wrong size"
        end += size
    assert end == len(data), f"{len(data) - end} bytes after the last tensor"
    return {name: (t["dtype"], t["shape"], data[t["data_offsets"][0]:t["data_offsets"][1]])
            for name, t in header.items()}


def container_bytes(tensors, metadata=True):
    """tensors: name -> (dtype, shape, bytes)."""
    header, at = ({"__metadata__": {"format": "pt"}} if metadata else {}), 0
    for name, (dtype, shape, raw) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + len(raw)]}
        at += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(raw for _, _, raw in tensors.values())


def float_tensor(entry):
    dtype, shape, raw = entry
    return bytes_float(raw, dtype.lower()).reshape(shape)


def read_hf(folder):
    config = json.load(open(os.path.join(folder, "config.json")))
    index = os.path.join(folder, "model.safetensors.index.json")
    tensors = {}
    files = [os.path.join(folder, "model.safetensors")]
    if os.path.exists(index):
        files = [os.path.join(folder, f) for f in set(json.load(open(index))["weight_map"].values())]
    for f in files:
        tensors.update(read_container(f))
    model = Model(config)
    sizes = model.sizes()
    online = config["quantization_config"].get("quantization_mode") == "online"
    reciprocal = config["quantization_config"].get("linear_class", "bitlinear") == "bitlinear"
    for layer in model.layers():
        base = f"model.layers.{layer}."
        for key, (stem, _, rows, _) in PROJECTIONS.items():
            dtype, shape, raw = tensors[base + stem + ".weight"]
            if online:
                w = float_tensor((dtype, shape, raw))
                mean = np.float32(np.abs(w).mean(dtype=np.float64))
                inverse = np.float32(1) / mean
                trits, scale = np.clip(np.rint(w * inverse), -1, 1).astype(np.int8), np.float32(1) / inverse
            else:
                trits = unpack_strided(np.frombuffer(raw, np.uint8).reshape(shape), sizes[rows])
                scale = float_tensor(tensors[base + stem + ".weight_scale"]).item()
                scale = 1 / scale if reciprocal else scale
            model.trits[layer, key], model.scales[layer, key] = trits, float(scale)
        for key, (stem, _, _) in NORMS.items():
            model.norms[layer, key] = float_tensor(tensors[base + stem + ".weight"])
    model.final = float_tensor(tensors["model.norm.weight"])
    model.embedding = float_tensor(tensors["model.embed_tokens.weight"])
    if not config.get("tie_word_embeddings"):
        model.head = float_tensor(tensors["lm_head.weight"])
    path = os.path.join(folder, "tokenizer.json")
    if os.path.exists(path):
        model.tokenizer = read_tokenizer(path)
    return model


def read_tokenizer(path):
    t = json.load(open(path))
    specials = {a["id"]: a["content"] for a in t["added_tokens"]}
    by_id = {i: s for s, i in t["model"]["vocab"].items()} | specials
    merges = [m if isinstance(m, str) else " ".join(m) for m in t["model"]["merges"]]
    return {"tokens": [by_id[i] for i in range(len(by_id))],
            "types": [3 if i in specials else 1 for i in range(len(by_id))], "merges": merges}


def hf_tensors(model, kind, table):
    """name -> (dtype, shape, bytes) for kind "packed" or "master"."""
    def floats(x, k="bf16"):
        return (k.upper(), x.shape, float_bytes(x, k))

    out = {"model.embed_tokens.weight": floats(model.embedding, table)}
    for layer in model.layers():
        base = f"model.layers.{layer}."
        for key, (stem, _, _) in NORMS.items():
            out[base + stem + ".weight"] = floats(model.norms[layer, key], "f32" if table == "f32" else "bf16")
        for key, (stem, _, _, _) in PROJECTIONS.items():
            trits, scale = model.trits[layer, key], model.scales[layer, key]
            if kind == "master":
                # magnitudes chosen so that the mean of |w| is the scale
                share = np.count_nonzero(trits) / trits.size
                out[base + stem + ".weight"] = floats(trits * np.float32(scale / share), table)
            else:
                packed = pack_strided(trits)
                out[base + stem + ".weight"] = ("U8", packed.shape, packed.tobytes())
                stored = 1 / scale if model.config["quantization_config"]["linear_class"] == "bitlinear" else scale
                out[base + stem + ".weight_scale"] = floats(np.array([stored], np.float32), "f32")
    out["model.norm.weight"] = floats(model.final, "f32" if table == "f32" else "bf16")
    if model.head is not None:
        out["lm_head.weight"] = floats(model.head, table)
    return out


def hf_config(model, kind, linear_class="autobitlinear"):
    config = dict(model.config)
    config["tie_word_embeddings"] = model.head is None
    config["quantization_config"] = {"quant_method": "bitnet", "linear_class": linear_class,
                                     "quantization_mode": "online" if kind == "master" else "offline"}
    return config


def write_hf(model, folder, kind, table="bf16", shards=1, linear_class="autobitlinear"):
    os.makedirs(folder, exist_ok=True)
    model.config = hf_config(model, kind, linear_class)
    json.dump(model.config, open(os.path.join(folder, "config.json"), "w"), indent=1)
    tensors = hf_tensors(model, kind, table)
    if shards == 1:
        open(os.path.join(folder, "model.safetensors"), "wb").write(container_bytes(tensors))
        return
    names, weight_map = list(tensors), {}
    for i in range(shards):
        file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        part = {n: tensors[n] for n in names[i::shards]}
        open(os.path.join(folder, file), "wb").write(container_bytes(part))
        weight_map.update({n: file for n in part})
    total = sum(len(raw) for _, _, raw in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    json.dump(index, open(os.path.join(folder, "model.safetensors.index.json"), "w"))


# ---------------------------------------------------------------- GGUF

U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9


def gguf_string(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(raw)) + raw


def gguf_value(kind, value):
    if kind == STRING:
        return gguf_string(value)
    if kind == ARRAY:
        item, values = value
        body = b"".join(gguf_value(item, v) for v in values)
        return struct.pack("<IQ", item, len(values)) + body
    return struct.pack({U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}[kind], value)


def gguf_keys(model, arch, file_type):
    c = model.config
    dim = c["hidden_size"] // c["num_attention_heads"]
    stop = c.get("eos_token_id", 0)
    keys = [("general.architecture", STRING, arch), ("general.name", STRING, "test"),
            ("general.file_type", U32, file_type), ("general.quantization_version", U32, 2),
            (arch + ".vocab_size", U32, c["vocab_size"]),
            (arch + ".context_length", U32, c["max_position_embeddings"]),
            (arch + ".embedding_length", U32, c["hidden_size"]),
            (arch + ".block_count", U32, c["num_hidden_layers"]),
            (arch + ".feed_forward_length", U32, c["intermediate_size"]),
            (arch + ".rope.dimension_count", U32, dim),
            (arch + ".attention.head_count", U32, c["num_attention_heads"]),
            (arch + ".attention.head_count_kv", U32, c["num_key_value_heads"]),
            (arch + ".attention.layer_norm_rms_epsilon", F32, c["rms_norm_eps"]),
            (arch + ".rope.freq_base", F32, c["rope_theta"])]
    if arch == "bitnet":
        keys.append(("bitnet.hidden_activation", STRING, "relu2"))
    if model.tokenizer:
        t = model.tokenizer
        keys += [("tokenizer.ggml.model", STRING, "gpt2"),
                 ("tokenizer.ggml.tokens", ARRAY, (STRING, t["tokens"])),
                 ("tokenizer.ggml.token_type", ARRAY, (I32, t["types"])),
                 ("tokenizer.ggml.merges", ARRAY, (STRING, t["merges"]))]
    keys += [("tokenizer.ggml.bos_token_id", U32, c.get("bos_token_id", 0)),
             ("tokenizer.ggml.eos_token_id", U32, stop if isinstance(stop, int) else stop[0]),
             ("tokenizer.ggml.add_bos_token", BOOL, True)]
    return keys


def gguf_tensors(model, kind, table):
    """[(name, ne, type id, bytes)] in the order of the published file: layers sorted as text."""
    type_id, _, pack, _ = TERNARY[kind]
    table_id, pack_table, _ = TABLES[table]
    out = [("token_embd.weight", model.embedding.shape[::-1], table_id, pack_table(model.embedding))]
    for layer in sorted(model.layers(), key=str):
        base = f"blk.{layer}."
        for key, (_, stem, _) in NORMS.items():
            gain = model.norms[layer, key]
            out.append((base + stem + ".weight", gain.shape, 0, float_bytes(gain, "f32")))
        for key, (_, stem, _, _) in PROJECTIONS.items():
            trits = model.trits[layer, key]
            out.append((base + stem + ".weight", trits.shape[::-1], type_id, pack(trits, model.scales[layer, key])))
    out.append(("output_norm.weight", model.final.shape, 0, float_bytes(model.final, "f32")))
    if model.head is not None:
        out.append(("output.weight", model.head.shape[::-1], table_id, pack_table(model.head)))
    return out


def gguf_bytes(keys, tensors, version=3, alignment=32):
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys))
    for key, kind, value in keys:
        head += gguf_string(key) + struct.pack("<I", kind) + gguf_value(kind, value)
    data = b""
    for name, ne, type_id, raw in tensors:
        head += gguf_string(name) + struct.pack(f"<I{len(ne)}QIQ", len(ne), *ne, type_id, len(data))
        data += raw + bytes(-len(raw) % alignment)
    return head + bytes(-len(head) % alignment) + data


def write_gguf(model, path, kind, table="f16", arch="bitnet-b1.58", version=3):
    keys = gguf_keys(model, arch, TERNARY[kind][1])
    open(path, "wb").write(gguf_bytes(keys, gguf_tensors(model, kind, table), version))


class GgufReader:
    def __init__(self, path):
        self.raw, self.at = open(path, "rb").read(), 4
        assert self.raw[:4] == b"GGUF"
        version, count, pairs = self.take("<IQQ")
        assert version in (2, 3)
        self.keys, self.tensors = {}, {}
        for _ in range(pairs):
            key = self.string()
            self.keys[key] = self.value(self.take("<I")[0])
        infos = []
        for _ in range(count):
            name = self.string()
            rank, = self.take("<I")
            ne = self.take(f"<{rank}Q")
            infos.append((name, ne, *self.take("<IQ")))
        alignment = self.keys.get("general.alignment", 32)
        start = self.at + -self.at % alignment
        assert not any(self.raw[self.at:start]), "padding that is not zero"
        end = 0  # llama.cpp wants the tensors in the order of the infos, each padded, and nothing else
        for name, ne, type_id, offset in infos:
            assert len(name.encode()) < 64 and name not in self.tensors and 1 <= len(ne) <= 4, name
            assert offset == end, f"{name} begins at {offset}, not at {end}"
            self.tensors[name] = (ne[::-1], type_id, start + offset)
            end += self.size(name) + -self.size(name) % alignment
        assert start + end == len(self.raw), f"{start + end} bytes of tensors in a file of {len(self.raw)}"

    def size(self, name):
        shape, type_id, _ = self.tensors[name]
        n = int(np.prod(shape))
        block, size = {0: (1, 4), 1: (1, 2), 30: (1, 2), 8: (32, 34), 2: (32, 18), 14: (256, 210),
                       34: (256, 54), 35: (256, 66), 36: (4, 1)}[type_id]
        assert type_id == 36 or shape[-1] % block == 0, name
        return n // block * size + (32 if type_id == 36 else 0)

    def take(self, form):
        values = struct.unpack_from(form, self.raw, self.at)
        self.at += struct.calcsize(form)
        return values

    def string(self):
        length, = self.take("<Q")
        self.at += length
        return self.raw[self.at - length:self.at].decode()

    def value(self, kind):
        if kind == STRING:
            return self.string()
        if kind == ARRAY:
            item, count = self.take("<IQ")
            return [self.value(item) for _ in range(count)]
        return self.take({0: "<B", U32: "<I", I32: "<i", F32: "<f", BOOL: "<?", 10: "<Q"}[kind])[0]

    def ternary(self, name):
        (rows, columns), type_id, at = self.tensors[name]
        _, _, _, unpack = next(t for t in TERNARY.values() if t[0] == type_id)
        return unpack(self.raw[at:at + self.size(name)], rows, columns)

    def floats(self, name):
        shape, type_id, at = self.tensors[name]
        _, _, unpack = next(t for t in TABLES.values() if t[0] == type_id)
        return unpack(self.raw[at:at + self.size(name)]).reshape(shape)


def read_gguf(path):
    f = GgufReader(path)
    arch = f.keys["general.architecture"]
    names = {"vocab_size": "vocab_size", "max_position_embeddings": "context_length",
             "hidden_size": "embedding_length", "num_hidden_layers": "block_count",
             "intermediate_size": "feed_forward_length", "num_attention_heads": "attention.head_count",
             "num_key_value_heads": "attention.head_count_kv",
             "rms_norm_eps": "attention.layer_norm_rms_epsilon", "rope_theta": "rope.freq_base"}
    model = Model({hf: f.keys[f"{arch}.{g}"] for hf, g in names.items()})
    model.config["bos_token_id"] = f.keys.get("tokenizer.ggml.bos_token_id", 0)
    model.config["eos_token_id"] = f.keys.get("tokenizer.ggml.eos_token_id", 0)
    for layer in model.layers():
        for key, (_, stem, _, _) in PROJECTIONS.items():
            model.trits[layer, key], model.scales[layer, key] = f.ternary(f"blk.{layer}.{stem}.weight")
        for key, (_, stem, _) in NORMS.items():
            model.norms[layer, key] = f.floats(f"blk.{layer}.{stem}.weight")
    model.final, model.embedding = f.floats("output_norm.weight"), f.floats("token_embd.weight")
    if "output.weight" in f.tensors:
        model.head = f.floats("output.weight")
    if "tokenizer.ggml.tokens" in f.keys:
        model.tokenizer = {"tokens": f.keys["tokenizer.ggml.tokens"], "merges": f.keys["tokenizer.ggml.merges"],
                           "types": f.keys["tokenizer.ggml.token_type"]}
    return model


# ---------------------------------------------------------------- commands

def random_model(seed=1, layers=2, hidden=256, ffn=512, vocab=64, heads=4, kv_heads=2, untied=False):
    rng = np.random.default_rng(seed)
    model = Model({"vocab_size": vocab, "hidden_size": hidden, "intermediate_size": ffn,
                   "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv_heads,
                   "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "max_position_embeddings": 128,
                   "model_type": "bitnet", "hidden_act": "relu2", "bos_token_id": 1, "eos_token_id": 2})
    model.config = hf_config(model, "packed")
    sizes = model.sizes()
    bf16 = lambda x: from_bf16(to_bf16(x))
    for layer in model.layers():
        for key, (_, _, rows, columns) in PROJECTIONS.items():
            model.trits[layer, key] = rng.integers(-1, 2, (sizes[rows], sizes[columns])).astype(np.int8)
            model.scales[layer, key] = bf16(np.array([rng.uniform(0.7, 4.5)])).item()
        for key, (_, _, size) in NORMS.items():
            model.norms[layer, key] = bf16(rng.uniform(0.5, 1.5, sizes[size]))
    model.final = bf16(rng.uniform(0.5, 1.5, hidden))
    model.embedding = bf16(rng.normal(0, 0.5, (vocab, hidden)))
    model.head = bf16(rng.normal(0, 0.5, (vocab, hidden))) if untied else None
    return model


def read(path):
    return read_hf(path) if os.path.isdir(path) else read_gguf(path)


def write(model, out, args):
    if args.kind in TERNARY:
        write_gguf(model, out, args.kind, args.embedding or "f16", args.arch, args.version)
    else:
        write_hf(model, out, args.kind, args.embedding or "bf16", args.shards, args.linear_class)


def compare(a, b, table):
    """What differs, as text; nothing if the models agree. table: relative to the largest element."""
    for key in ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
                "num_key_value_heads", "rope_theta", "rms_norm_eps", "max_position_embeddings"):
        if np.float32(a.config[key]) != np.float32(b.config[key]):
            yield f"config {key}: {a.config[key]} and {b.config[key]}"
    for key in a.trits:
        if not np.array_equal(a.trits[key], b.trits[key]):
            yield f"trits of {key}"
        if np.float32(a.scales[key]) != np.float32(b.scales[key]):
            yield f"scale of {key}: {a.scales[key]} and {b.scales[key]}"
    for key in a.norms:
        if not np.array_equal(a.norms[key], b.norms[key]):
            yield f"norm {key}"
    if not np.array_equal(a.final, b.final):
        yield "final norm"
    heads = [m.embedding if m.head is None else m.head for m in (a, b)]
    for name, x, y in (("embedding", a.embedding, b.embedding), ("head", *heads)):
        worst = np.abs(x - y).max() / np.abs(x).max()
        if worst > table:
            yield f"{name}: worst difference {worst} of the largest element"
    if a.tokenizer and b.tokenizer and a.tokenizer != b.tokenizer:
        yield "tokenizer: " + ", ".join(k for k in a.tokenizer if a.tokenizer[k] != b.tokenizer[k])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["write", "random", "compare"])
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--embedding", choices=TABLES)
    parser.add_argument("--arch", default="bitnet-b1.58")
    parser.add_argument("--version", type=int, default=3)
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--linear-class", default="autobitlinear")
    parser.add_argument("--untied", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--table", type=float, default=0)
    args = parser.parse_args()
    if args.command == "compare":
        problems = list(compare(read(args.paths[0]), read(args.paths[1]), args.table))
        print("\n".join(problems))
        return 1 if problems else 0
    args.kind = args.paths.pop()
    if args.command == "write":
        write(read(args.paths[0]), args.paths[1], args)
    else:
        write(random_model(args.seed, args.layers, untied=args.untied), args.paths[0], args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
