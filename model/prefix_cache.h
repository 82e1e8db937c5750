// Generation that computes no key or value twice: behind what the cache holds of a text already.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "model/generate.h"
#include "model/tokenizer.h"

namespace rotor {

class PrefixCache {
 public:
  // What the cache holds is dropped. Both must outlive this object, and nobody else may change the
  // cache.
  PrefixCache(Transformer& transformer, KvCache& cache);

  // Continues `text`. What it has in common with the text and answer before stays in the cache. The
  // times and prompt_tokens of the result are those of the rest. Throws as rotor::generate.
  GenerateResult generate(Sampler& sampler, std::span<const TokenId> text,
                          const GenerateOptions& options, const OnToken& on_token);

  std::size_t kept() const { return kept_; }  // tokens of the last text that were in the cache

 private:
  Transformer& transformer_;
  KvCache& cache_;
  std::vector<TokenId> cached_;  // whose keys and values the cache holds
  std::size_t kept_ = 0;
};

}  // namespace rotor
