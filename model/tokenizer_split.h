// Cuts text into the pieces that byte-pair merging never crosses: the Llama-3 rule, without a
// regex.
#pragma once

#include <cstddef>
#include <string_view>

namespace rotor {

// The regular expression that tokenizer.json states and that `piece_end` implements: ordered
// alternatives, leftmost match, applied again and again. Every character is in some piece.
inline constexpr std::string_view kSplitPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
    R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// Where the piece that begins at `begin` ends. text: valid UTF-8, a whole stretch between special
// tokens (its end matters to white space); begin < text.size(), on a character border.
std::size_t piece_end(std::string_view text, std::size_t begin);

}  // namespace rotor
