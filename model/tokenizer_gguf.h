// The tokenizer keys of a GGUF file as a vocabulary.
#pragma once

#include <string>

#include "model/gguf_keys.h"
#include "model/tokenizer.h"

namespace rotor {

// Token types other than normal become special tokens; padding, and control tokens without a text
// of their own (an early upload of 2B4T has such), become unused ones. Without types, "<|...|>" is
// special. A file without a pre-tokenizer is taken to split as Llama 3 does; one that names another
// is refused. Throws FormatError that begins with `name`.
Vocabulary gguf_vocabulary(GgufTokenizer tokenizer, const std::string& name);

}  // namespace rotor
