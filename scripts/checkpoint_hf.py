"""Checkpoints as Hugging Face folders: config.json, safetensors with packed or master weights, tokenizer.json."""
import json
import os
import struct

import numpy as np

from checkpoint import NORMS, PROJECTIONS, Model, bytes_float, float_bytes


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


# ---------------------------------------------------------------- folders

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
