// The commands of the `rotor` program, apart from reading their flags: data to `out`, talk to
// `talk`. They throw rotor's errors and return an exit code.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "model/convert.h"
#include "model/inspect.h"
#include "model/sampler.h"
#include "model/session.h"

namespace rotor {

struct GenerateCommand {
  SessionOptions session;
  SamplingOptions sampling;
  std::string prompt;
  std::string
      prompt_file;  // instead; "-" is stdin. One newline at its end is not part of the prompt
  std::vector<std::string> stop_strings;  // the text ends before any of them
  std::uint32_t samples = 1;              // texts; that with index i has the seed sampling.seed + i
  std::uint32_t max_tokens = 128;         // of each
  std::uint32_t context = 0;  // positions of the cache; 0 is what prompt and answer need
  Packing kv = Packing::F32;
  bool no_cache = false;
  bool ids = false;   // print token ids instead of text
  bool json = false;  // one JSON document instead of text, when everything is there
};
int run_generate(const GenerateCommand& command, std::ostream& out, std::ostream& talk);

struct ChatCommand {
  SessionOptions session;
  SamplingOptions sampling;
  std::string system;                         // empty: no system message
  std::string answer_prompt = "Assistant: ";  // asks for an answer
  std::vector<std::string> stop_strings;
  std::uint32_t max_tokens = 1024;  // of one answer
  std::uint32_t context = 0;        // positions of the cache; 0 is all that the model has
  Packing kv = Packing::F32;
  bool interactive = false;  // a person types
};
int run_chat(const ChatCommand& command, std::istream& in, std::ostream& out, std::ostream& talk);

struct ScoreCommand {
  SessionOptions session;
  std::string ids_file;   // JSON array or numbers; "-" is stdin
  std::string text_file;  // or a text; BOS is put in front
  std::string json_file;  // "-" is stdout
  Packing kv = Packing::F32;
  bool logits = false;
  bool no_cache = false;
};
int run_score(const ScoreCommand& command, std::ostream& out, std::ostream& talk);

struct TokenizeCommand {
  std::string model;  // folder with a tokenizer.json; empty is the demo model
  bool special = false;
  bool bos = false;
  bool decode = false;
};
int run_tokenize(const TokenizeCommand& command, std::istream& in, std::ostream& out);

struct InspectCommand {
  std::string model;
  InspectOptions options;
  std::uint32_t context = 0;  // positions of the memory table; 0 is all that the model has
  bool json = false;
};
// kExitBadInput if the checkpoint fails a point of the acceptance list.
int run_inspect(const InspectCommand& command, std::ostream& out);

struct ConvertCommand {
  std::string in;
  std::string out;
  std::string to;            // packed, i2_s, tq1_0 or tq2_0; empty: by the name of `out`
  std::string embedding;     // f32, f16, bf16, q8_0, q6_k or q4_0; empty: as convert chooses
  std::string architecture;  // of GGUF; empty: as convert chooses
  std::function<void(double)> progress;  // told the share that is written
};
int run_convert(const ConvertCommand& command, std::ostream& talk);

// Token ids below `vocab` as text: a JSON array, or numbers with white space between them. Throws
// FormatError that begins with `name`.
std::vector<std::uint32_t> parse_ids(const std::string& text, const std::string& name,
                                     std::uint32_t vocab);

// Set by a signal handler: commands finish what they are at and return kExitInterrupted.
void interrupt();
bool interrupted();
// Throws Error with kExitInterrupted if so.
void stop_if_interrupted();
// Whether there was an interruption, which is then forgotten.
bool take_interrupt();

// A file, or stdin for "-". Throws FormatError, and what stop_if_interrupted() throws.
std::string read_file(const std::string& path);
// That file, for people.
std::string input_name(const std::string& path);
// To be called at the end of `in`: throws the same if it was none, but an interruption or a failure of stdin.
void check_read(const std::istream& in);

// The flag most like `word`, or an empty string if none is close: for "did you mean".
std::string nearest(const std::string& word, const std::vector<std::string>& known);

}  // namespace rotor
