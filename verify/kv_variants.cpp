#include <algorithm>

#include "verify/kv_runner.h"

namespace rotor {
namespace {

using Kind = KvAction::Kind;

std::string numbered(const char* name, std::uint32_t number) {
  return std::string(name).append(std::to_string(number));
}

// Appends passes of `chunk` tokens until `until` positions are filled from `from` on.
void feed(std::vector<KvAction>& actions, std::uint32_t from, std::uint32_t until,
          std::uint32_t chunk) {
  for (std::uint32_t at = from; at < until; at += chunk) {
    actions.push_back({Kind::Feed, std::min(chunk, until - at)});
  }
}

// A prompt in one pass, then token by token, behind what `before` did.
KvVariant prefill(const std::string& name, std::uint32_t prompt, std::uint32_t positions,
                  std::vector<KvAction> before = {}) {
  KvVariant variant{.name = name, .positions = positions, .actions = std::move(before)};
  feed(variant.actions, 0, prompt, prompt);
  feed(variant.actions, prompt, positions, 1);
  return variant;
}

// Wrong tokens, as a rejected draft leaves them, one at a time and in a pass, dropped again.
KvVariant truncation(std::uint32_t positions) {
  KvVariant variant{.name = "truncate", .positions = positions};
  feed(variant.actions, 0, 40, 40);
  feed(variant.actions, 40, 50, 1);
  for (int i = 0; i < 5; ++i) variant.actions.push_back({Kind::Junk, 1});
  variant.actions.push_back({Kind::Truncate, 50});
  feed(variant.actions, 50, 60, 1);
  variant.actions.push_back({Kind::Junk, 12});
  variant.actions.push_back({Kind::Truncate, 47});
  feed(variant.actions, 47, positions, 1);
  return variant;
}

KvVariant in_format(KvVariant variant, Packing format, Packing against) {
  variant.format = format;
  variant.against = against;
  variant.name.append("_").append(packing_name(format));
  if (against != format) variant.name.append("_against_").append(packing_name(against));
  return variant;
}

}  // namespace

std::vector<KvVariant> kv_variants(std::uint32_t positions) {
  std::vector<KvVariant> variants;
  // One more and one less than the blocks that kernels work in.
  for (const std::uint32_t prompt : {1u, 15u, 16u, 17u, 63u, 64u, 65u, 127u, 128u, 129u}) {
    if (prompt >= positions) continue;
    // Sixteen steps show whether decoding goes on from the prompt; one variant decodes all the way.
    const std::uint32_t end = prompt == 1 ? positions : std::min(positions, prompt + 16);
    variants.push_back(prefill(numbered("prefill", prompt), prompt, end));
  }
  for (const std::uint32_t chunk : {7u, 16u, 32u, 33u}) {
    KvVariant variant{.name = numbered("chunks", chunk), .positions = positions};
    feed(variant.actions, 0, positions, chunk);
    variants.push_back(variant);
  }
  const std::uint32_t some_blocks = std::min(positions, 72u);
  // Old rows are NaN, so that one that is read shows; and old rows that look right.
  const KvAction junk{Kind::Junk, some_blocks};
  const KvAction drop{Kind::Truncate, 0};
  variants.push_back(prefill("reset", 17, some_blocks, {junk, drop, {Kind::Poison}}));
  variants.push_back(prefill("reuse", 17, some_blocks, {junk, drop}));
  variants.push_back(truncation(some_blocks));
  variants.push_back(prefill("capacity", 64, some_blocks));
  variants.back().full = true;
  const KvVariant some = prefill("prefill33", 33, some_blocks);
  variants.push_back(in_format(some, Packing::F16, Packing::F16));
  variants.push_back(in_format(some, Packing::F16, Packing::F32));
  variants.push_back(in_format(some, Packing::Int8Row, Packing::Int8Row));
  return variants;
}

}  // namespace rotor
