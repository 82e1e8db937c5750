#!/usr/bin/env python3
"""Writes a corpus of broken checkpoints for the tests, each with what its error must say.

  make_bad_models.py OUT       makes OUT/NAME for every case and OUT/manifest.tsv: NAME <tab> words
"""
import json
import os
import struct
import sys

import numpy as np

from checkpoint_gguf import ARRAY, STRING, U32, gguf_bytes, gguf_keys, gguf_string, gguf_tensors
from checkpoint_hf import container_bytes, hf_tensors, write_hf
from model_files import random_model

CASES = {}  # name -> (function(path), words of the message)


def case(name, words):
    def register(function):
        CASES[name] = (function, words)
        return function
    return register


def tiny(**options):
    return random_model(layers=1, ffn=256, vocab=32, **options)


# ---------------------------------------------------------------- folders

def folder(path, config=None, tensors=None, raw=None, kind="packed"):
    """A good folder, with changes: config and tensors edit a dictionary, raw the file's bytes."""
    model = tiny()
    write_hf(model, path, kind)
    if config:
        c = json.load(open(path + "/config.json"))
        config(c)
        json.dump(c, open(path + "/config.json", "w"))
    if tensors or raw:
        t = hf_tensors(model, kind, "bf16")
        if tensors:
            tensors(t)
        data = container_bytes(t)
        open(path + "/model.safetensors", "wb").write(raw(data) if raw else data)


def hf_case(name, words, **changes):
    CASES[name] = (lambda path: folder(path, **changes), words)


Q = "model.layers.0.self_attn.q_proj.weight"


def set_item(key, value):
    return lambda d: d.__setitem__(key, value)


def set_quantisation(key, value):
    return lambda c: c["quantization_config"].__setitem__(key, value)


def retype(name, dtype=None, shape=None, raw=None):
    def change(t):
        old = t[name]
        t[name] = (dtype or old[0], old[1] if shape is None else shape, old[2] if raw is None else raw)
    return change


def poke(name, at, new):
    def change(t):
        dtype, shape, raw = t[name]
        t[name] = (dtype, shape, raw[:at] + new + raw[at + len(new):])
    return change


def header_edit(old, new):
    """Replaces text in the header; the length in front follows."""
    def change(data):
        length = struct.unpack_from("<Q", data)[0]
        text = data[8:8 + length].replace(old, new, 1)
        return struct.pack("<Q", len(text)) + text + data[8 + length:]
    return change


def floats(*values):
    return np.array(values, "<f4").tobytes()


hf_case("empty_container", "the file is empty", raw=lambda d: b"")
hf_case("seven_bytes", "too few for a safetensors file", raw=lambda d: d[:7])
hf_case("truncated_header", "truncated, or not safetensors", raw=lambda d: d[:100])
hf_case("truncated_data", "the file is truncated", raw=lambda d: d[:-10])
hf_case("trailing_bytes", "3 bytes after the last tensor", raw=lambda d: d + b"abc")
hf_case("huge_header_length", "header length 9223372036854775807", raw=lambda d: b"\xff" * 7 + b"\x7f" + d[8:])
hf_case("not_safetensors", "header length", raw=lambda d: b"\x89PNG\r\n\x1a\n" + d)
hf_case("header_not_json", "not valid JSON at byte", raw=header_edit(b'"dtype"', b'"dtype'))
hf_case("header_bad_utf8", "not valid JSON at byte", raw=header_edit(b"model.norm", b"model.\xff\xfe"))
hf_case("duplicate_tensor", "appears twice", raw=header_edit(b"mlp.up_proj.weight\"", b"mlp.down_proj.weight\""))
hf_case("unknown_dtype", "unknown dtype \"Q9\"", raw=header_edit(b'"U8"', b'"Q9"'))
hf_case("negative_size", "unsigned integers", raw=header_edit(b'"shape": [256]', b'"shape": [-256]'))
hf_case("lying_offsets", "a hole or an overlap", raw=header_edit(b"[0, 16384]", b"[16, 16400]"))
hf_case("lying_shape", "does not fill its", raw=header_edit(b'"shape": [256]', b'"shape": [255]'))
hf_case("missing_tensor", 'tensor "' + Q + '" is missing', tensors=lambda t: t.pop(Q))
hf_case("missing_scale", 'q_proj.weight_scale" is missing', tensors=lambda t: t.pop(Q + "_scale"))
hf_case("missing_norm", 'input_layernorm.weight" is missing',
        tensors=lambda t: t.pop("model.layers.0.input_layernorm.weight"))
hf_case("bias", "is not part of a BitNet b1.58 model",
        tensors=set_item("model.layers.0.self_attn.q_proj.bias", ("F32", [1], floats(1))))
hf_case("wrong_shape", "has shape [32, 512], expected [64, 256]", tensors=retype(Q, shape=[32, 512]))
hf_case("wrong_dtype", "has dtype I8, expected U8", tensors=retype(Q, dtype="I8"))
hf_case("code_three", "a ternary code is 3", tensors=poke(Q, 1000, b"\xd5"))
hf_case("nan_scale", "is not finite and positive", tensors=retype(Q + "_scale", raw=floats(np.nan)))
hf_case("zero_scale", "is not finite and positive", tensors=retype(Q + "_scale", raw=floats(0)))
hf_case("negative_scale", "is not finite and positive", tensors=retype(Q + "_scale", raw=floats(-1)))
hf_case("two_scales", "has shape [2], expected [1]",
        tensors=set_item(Q + "_scale", ("F32", [2], floats(1, 1))))
hf_case("infinite_gain", "a gain is not finite",
        tensors=retype("model.norm.weight", dtype="F32", raw=floats(*[np.inf] * 256)))
hf_case("master_nan", "is not finite and positive", kind="master",
        tensors=poke("model.layers.0.mlp.up_proj.weight", 0, b"\xc0\xff"))
hf_case("untied_without_head", 'tensor "lm_head.weight" is missing', config=set_item("tie_word_embeddings", False))
hf_case("packed_called_online", "expected [256, 256]", config=set_quantisation("quantization_mode", "online"))
hf_case("inner_norm", '"use_rms_norm" is true', config=set_quantisation("use_rms_norm", True))
hf_case("other_quantisation", '"quant_method" is "gptq"', config=set_quantisation("quant_method", "gptq"))
hf_case("plain_llama", '"model_type" is "llama"', config=set_item("model_type", "llama"))
hf_case("silu", '"hidden_act" is "silu"', config=set_item("hidden_act", "silu"))
hf_case("more_layers", 'layers.1.input_layernorm.weight" is missing', config=set_item("num_hidden_layers", 2))
hf_case("other_vocabulary", "expected [33, 256]", config=set_item("vocab_size", 33))
hf_case("odd_heads", "not a multiple of 3 heads", config=set_item("num_attention_heads", 3))
hf_case("text_for_number", '"hidden_size" is not an unsigned', config=set_item("hidden_size", "256"))


@case("no_config_no_model", "neither config.json")
def _(path):
    os.makedirs(path)


@case("no_weights", "cannot open")
def _(path):
    folder(path)
    os.remove(path + "/model.safetensors")


@case("config_not_json", "not valid JSON at byte")
def _(path):
    folder(path)
    open(path + "/config.json", "w").write("{")


@case("config_nested", "nested deeper than 16")
def _(path):
    folder(path)
    open(path + "/config.json", "w").write("[" * 100000)


def shards(path, change):
    write_hf(tiny(), path, "packed", shards=2)
    name = path + "/model.safetensors.index.json"
    index = json.load(open(name))
    change(index["weight_map"], path)
    json.dump(index, open(name, "w"))


def shard_case(name, words, change):
    CASES[name] = (lambda path: shards(path, change), words)


SECOND = "model-00002-of-00002.safetensors"


def link_outside(weights, path):
    os.rename(f"{path}/{SECOND}", f"{path}/../outside.safetensors")
    os.symlink("../outside.safetensors", f"{path}/{SECOND}")


def same_tensor_twice(weights, path):
    os.remove(f"{path}/{SECOND}")
    os.link(f"{path}/model-00001-of-00002.safetensors", f"{path}/{SECOND}")


shard_case("shard_outside", "expected the name of a file in the same folder",
           lambda w, path: w.__setitem__(Q, "../model.safetensors"))
shard_case("shard_missing", "cannot open", lambda w, path: os.remove(f"{path}/{SECOND}"))
shard_case("shard_link", "a link that leaves the folder", link_outside)
shard_case("shard_twin", "is also in", same_tensor_twice)
shard_case("shard_wrong", "is missing here; it is in",
           lambda w, path: w.update({k: SECOND for k in w if k == "model.embed_tokens.weight"}))


# ---------------------------------------------------------------- GGUF

def gguf(path, keys=None, tensors=None, raw=None, kind="tq2_0", arch="bitnet-b1.58", **options):
    model = tiny()
    k = {key: (t, v) for key, t, v in gguf_keys(model, arch, 0)}
    t = {name: list(rest) for name, *rest in gguf_tensors(model, kind, "f16")}
    if keys:
        keys(k)
    if tensors:
        tensors(t)
    data = gguf_bytes([(key, *v) for key, v in k.items()], [(n, *v) for n, v in t.items()], **options)
    open(path, "wb").write(raw(data) if raw else data)


def gguf_case(name, words, **changes):
    CASES[name + ".gguf"] = (lambda path: gguf(path, **changes), words)


GQ = "blk.0.attn_q.weight"
ARCH = "bitnet-b1.58"


def replace(old, new):
    def change(data):
        assert old in data
        return data.replace(old, new, 1)
    return change


def in_tensor(name, change):
    """change(list of ne, type id, bytes)."""
    return lambda t: change(t[name])


def info_offset(name, value):
    """Overwrites the data offset in a tensor's info."""
    def change(data):
        at = data.index(gguf_string(name)) + 8 + len(name)
        rank = struct.unpack_from("<I", data, at)[0]
        at += 4 + 8 * rank + 4
        return data[:at] + struct.pack("<Q", value) + data[at + 8:]
    return change


def key_case(name, words, key, value, kind=U32, **more):
    gguf_case(name, words, keys=set_item(key, (kind, value)), **more)


gguf_case("magic", 'does not begin with "GGUF"', raw=lambda d: b"GGML" + d[4:])
gguf_case("short", 'does not begin with "GGUF"', raw=lambda d: d[:3])
gguf_case("version_1", "GGUF version 1, supported: 2 and 3", version=1)
gguf_case("big_endian", "big-endian file", raw=lambda d: d[:4] + struct.pack(">I", 3) + d[8:])
gguf_case("cut_in_keys", "the file is truncated or not GGUF", raw=lambda d: d[:200])
gguf_case("cut_in_data", "the file is truncated", raw=lambda d: d[:-4096])
gguf_case("tensor_count", "tensors, expected at most", raw=lambda d: d[:8] + b"\xff" * 8 + d[16:])
gguf_case("key_count", "key of",
          raw=lambda d: d[:16] + struct.pack("<Q", 60000) + d[24:])
gguf_case("key_length", "key of 4294967295 bytes", raw=lambda d: d[:24] + struct.pack("<Q", 0xFFFFFFFF) + d[32:])
gguf_case("value_type", "has unknown value type 77",
          raw=replace(gguf_string("general.file_type") + b"\4", gguf_string("general.file_type") + b"\x4d"))
gguf_case("boolean", "boolean 2", raw=replace(gguf_string("tokenizer.ggml.add_bos_token") + b"\7\0\0\0\1",
                                              gguf_string("tokenizer.ggml.add_bos_token") + b"\7\0\0\0\2"))


@case("duplicate_key.gguf", 'key "general.file_type" appears twice')
def _(path):
    model = tiny()
    keys = gguf_keys(model, ARCH, 0)
    keys.append(("general.file_type", U32, 1))
    open(path, "wb").write(gguf_bytes(keys, gguf_tensors(model, "tq2_0", "f16")))


@case("duplicate_tensor.gguf", 'tensor "output_norm.weight" appears twice')
def _(path):
    model = tiny()
    tensors = gguf_tensors(model, "tq2_0", "f16")
    open(path, "wb").write(gguf_bytes(gguf_keys(model, ARCH, 0), tensors + tensors[-1:]))


@case("nested_array.gguf", "array of element type 9")
def _(path):
    inner = struct.pack("<IQ", U32, 0)
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + gguf_string("a")
    open(path, "wb").write(head + struct.pack("<IIQ", ARRAY, ARRAY, 1) + inner)


@case("long_array.gguf", "array elements, expected at most")
def _(path):
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + gguf_string("a")
    open(path, "wb").write(head + struct.pack("<IIQ", ARRAY, U32, 1 << 62))


key_case("alignment", "general.alignment is not a power of two", "general.alignment", 48)
key_case("architecture", 'architecture "llama", supported', "general.architecture", "llama", STRING)
key_case("no_relu2", 'is "silu" or absent', "bitnet.hidden_activation", "silu", STRING, arch="bitnet")
key_case("heads", "does not divide the embedding length", ARCH + ".attention.head_count", 0)
key_case("kv_heads", "key/value head count 9", ARCH + ".attention.head_count_kv", 9)
key_case("rotary", "is not the head size 64", ARCH + ".rope.dimension_count", 32)
key_case("scaled_rope", 'rope.scaling.type" is "yarn"', ARCH + ".rope.scaling.type", "yarn", STRING)
key_case("text_key", "is not an unsigned 32-bit integer", ARCH + ".block_count", "1", STRING)
key_case("end_token", "end token 99 is outside", "tokenizer.ggml.eos_token_id", 99)
gguf_case("no_theta", 'rope.freq_base" is missing', keys=lambda k: k.pop(ARCH + ".rope.freq_base"))
gguf_case("misaligned", "not a multiple of 32", raw=info_offset(GQ, 33))
gguf_case("offset_past_end", "the file is truncated", raw=info_offset(GQ, 1 << 40))
gguf_case("overlap", "overlap", raw=info_offset("output_norm.weight", 32))
gguf_case("rank_zero", "has 0 dimensions", tensors=in_tensor(GQ, lambda t: t.__setitem__(0, ())))
gguf_case("rank_five", "has 5 dimensions", tensors=in_tensor(GQ, lambda t: t.__setitem__(0, (256, 256, 1, 1, 1))))
gguf_case("zero_size", "an impossible dimension 0", tensors=in_tensor(GQ, lambda t: t.__setitem__(0, (256, 0))))
gguf_case("overflow", "an impossible dimension",
          tensors=in_tensor(GQ, lambda t: t.__setitem__(0, (1 << 40, 1 << 40))))
gguf_case("part_block", "is not whole blocks of 256", tensors=in_tensor(GQ, lambda t: t.__setitem__(0, (128, 512))))
gguf_case("type_37", "has type 37; supported", tensors=in_tensor(GQ, lambda t: t.__setitem__(1, 37)))
gguf_case("long_name", "tensor name of 70 bytes", tensors=lambda t: t.__setitem__("x" * 70, t.pop(GQ)))
gguf_case("float_projection", "has type F16, expected I2_S, TQ1_0 or TQ2_0",
          tensors=in_tensor(GQ, lambda t: t.__setitem__(slice(1, 3), (1, bytes(256 * 256 * 2)))))
gguf_case("missing_gguf_tensor", 'tensor "blk.0.attn_q.weight" is missing', tensors=lambda t: t.pop(GQ))
gguf_case("other_rows", "has shape [128, 256], expected [256, 256]",
          tensors=in_tensor(GQ, lambda t: t.__setitem__(slice(0, 3, 2), ((256, 128), t[2][:len(t[2]) // 2]))))
gguf_case("extra_tensor", "is not part of a BitNet b1.58 model",
          tensors=set_item("rope_freqs.weight", [(32,), 0, bytes(128)]))
gguf_case("tq2_code_three", "a ternary code is 3",
          tensors=in_tensor(GQ, lambda t: t.__setitem__(2, b"\xff" + t[2][1:])))
gguf_case("i2s_code_three", "a ternary code is 3", kind="i2_s",
          tensors=in_tensor(GQ, lambda t: t.__setitem__(2, b"\xff" + t[2][1:])))
gguf_case("i2s_zero_scale", "is not finite and positive", kind="i2_s",
          tensors=in_tensor(GQ, lambda t: t.__setitem__(2, t[2][:-32] + bytes(32))))
gguf_case("tq_many_scales", "a BitNet matrix has one scale",
          tensors=in_tensor(GQ, lambda t: t.__setitem__(2, t[2][:64] + b"\0\x01" + t[2][66:])))
gguf_case("quantised_norm", "has type Q8_0, expected F32, F16 or BF16",
          tensors=in_tensor("output_norm.weight", lambda t: t.__setitem__(slice(1, 3), (8, bytes(272)))))


@case("two_models", "name the one you mean")
def _(path):
    os.makedirs(path)
    gguf(path + "/a.gguf")
    gguf(path + "/b.gguf")


@case("file.safetensors", "name the folder that holds it")
def _(path):
    open(path, "wb").write(b"{}")


def main():
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "manifest.tsv"), "w") as manifest:
        for name, (make, words) in CASES.items():
            make(os.path.join(out, name))
            manifest.write(f"{name}\t{words}\n")


if __name__ == "__main__":
    main()
