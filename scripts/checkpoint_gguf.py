"""Checkpoints as GGUF files: keys, tensors, tokenizer."""
import struct

import numpy as np

from checkpoint import NORMS, PROJECTIONS, Model, float_bytes
from gguf_codecs import TABLES, TERNARY

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
