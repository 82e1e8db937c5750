// Fuzz target: arbitrary bytes as a tokenizer.json, and arbitrary bytes as text of the demo
// tokenizer. Nothing but a FormatError may come out of the first; the second must come back.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/error.h"
#include "model/tokenizer.h"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_text(std::string_view text) {
  static const rotor::Tokenizer tokenizer =
      rotor::Tokenizer::open(ROTOR_SOURCE_DIR "/model/demo/tokenizer.json");
  const std::string valid = rotor::replace_ill_formed(text);
  require(rotor::is_utf8(valid));
  require(tokenizer.decode(tokenizer.encode(text)) == valid);
  const auto parsed = tokenizer.encode(text, rotor::Specials::Parse);
  require(tokenizer.decode(parsed, rotor::Specials::Parse) == valid);

  rotor::Utf8Stream stream;
  std::string shown;
  for (const rotor::TokenId id : parsed) shown += stream.push(tokenizer.bytes(id));
  require(shown + stream.flush() == valid);
}

void check_file(std::string_view json) {
  try {
    rotor::Tokenizer::from_json(json, "fuzz").encode("It's 2024: x\n\n  y");
  } catch (const rotor::FormatError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_text(bytes);
  check_file(bytes);
  return 0;
}
