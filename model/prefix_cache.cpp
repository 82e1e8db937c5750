#include "model/prefix_cache.h"

#include <algorithm>

#include "model/chat.h"

namespace rotor {

PrefixCache::PrefixCache(Transformer& transformer, KvCache& cache)
    : transformer_(transformer), cache_(cache) {
  cache_.truncate(0);
}

GenerateResult PrefixCache::generate(Sampler& sampler, std::span<const TokenId> text,
                                     const GenerateOptions& options, const OnToken& on_token) {
  // At least one token is processed, as its logits are needed.
  kept_ = text.empty() ? 0 : std::min(common_prefix(cached_, text), text.size() - 1);
  cache_.truncate(static_cast<std::uint32_t>(kept_));
  cached_.resize(kept_);
  GenerateResult result = rotor::generate(transformer_, cache_, sampler, text.first(kept_),
                                          text.subspan(kept_), options, on_token);
  cached_.assign(text.begin(), text.end());
  cached_.insert(cached_.end(), result.tokens.begin(), result.tokens.end());
  cached_.resize(cache_.length());
  return result;
}

}  // namespace rotor
