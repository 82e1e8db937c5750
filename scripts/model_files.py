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
import os
import sys

import numpy as np

from checkpoint import NORMS, PROJECTIONS, Model, from_bf16, to_bf16
from checkpoint_gguf import read_gguf, write_gguf
from checkpoint_hf import hf_config, read_hf, write_hf
from gguf_codecs import TABLES, TERNARY


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
