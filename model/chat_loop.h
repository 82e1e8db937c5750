// A conversation in a terminal or over a pipe: lines in, answers and notices out.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

#include "model/chat.h"
#include "model/prefix_cache.h"

namespace rotor {

struct ChatOptions {
  std::string system;  // empty: none
  std::string answer_prompt = std::string(kAnswerPrompt);
  std::vector<std::string> stop_strings;
  std::uint32_t max_tokens = 1024;  // of one answer
  // A person types: show a prompt, and let Ctrl-C stop answers only. Otherwise every line is a
  // message as well, and Ctrl-C ends the loop.
  bool interactive = false;
  // Whether Ctrl-C was pressed since the last call.
  std::function<bool()> take_interrupt = [] { return false; };
};

// Each line is a message; lines that begin with '/' are commands (/help lists them). Answers go to
// `out`, everything else to `talk`. When the context fills up, the oldest exchanges are forgotten,
// and the user is told (Conversation::make_room). What the cache holds of the conversation is not
// computed again.
class ChatLoop {
 public:
  // What the cache holds is dropped. All references must outlive the loop. Throws FormatError if the
  // model was not taught to chat, UsageError if the system message alone fills the context.
  ChatLoop(Transformer& transformer, const Tokenizer& tokenizer, KvCache& cache, Sampler& sampler,
           ChatOptions options, std::ostream& out, std::ostream& talk);

  // Reads until /quit or the end of the input. Returns kExitOk, or kExitInterrupted when Ctrl-C
  // ended it. Throws OutputError if `out` fails, DeviceError, Error for broken logits; a message that
  // does not fit is reported on `talk` and the loop goes on.
  int run(std::istream& in);

 private:
  enum class Next : std::uint8_t { GoOn, Quit };

  bool read_line(std::istream& in, std::string& line);
  Next command(const std::string& line);
  void ask(const std::string& question);
  bool make_room();
  std::string remedy() const;
  void generate_answer();
  void tell_end(const GenerateResult& result, bool interrupted);
  void tell_statistics();
  void save(const std::string& path);

  const Tokenizer& tokenizer_;
  KvCache& cache_;
  PrefixCache prefix_;
  Sampler& sampler_;
  ChatOptions options_;
  std::ostream& out_;
  std::ostream& talk_;
  Conversation conversation_;
  GenerateOptions generate_;
  GenerateResult last_;       // of the last answer, for /stats
  bool interrupted_ = false;  // by Ctrl-C, while not interactive
};

}  // namespace rotor
