"""A checkpoint of BitNet b1.58 in memory, whatever the file, and its floats as bytes."""
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
