#include "model/chat_loop.h"

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <istream>
#include <ostream>
#include <utility>

#include "core/error.h"
#include "core/written.h"

namespace rotor {
namespace {

constexpr const char* kHelp =
    "Each line is a message to the model. Begin with a space to send a line that starts with '/'.\n"
    "  /reset       forget the conversation (the system message stays)\n"
    "  /stats       context, speed and memory\n"
    "  /save FILE   write the conversation as text\n"
    "  /help        this list\n"
    "  /quit        end; so does Ctrl-D. Ctrl-C stops an answer\n";

std::string counted(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

}  // namespace

ChatLoop::ChatLoop(Transformer& transformer, const Tokenizer& tokenizer, KvCache& cache,
                   Sampler& sampler, ChatOptions options, std::ostream& out, std::ostream& talk)
    : tokenizer_(tokenizer),
      cache_(cache),
      prefix_(transformer, cache),
      sampler_(sampler),
      options_(std::move(options)),
      out_(out),
      talk_(talk),
      conversation_(tokenizer, transformer.config().bos, options_.system, options_.answer_prompt),
      generate_{.max_tokens = options_.max_tokens,
                .stop_tokens = stop_ids(tokenizer, transformer.config().stop_tokens)} {
  if (conversation_.system_size() >= cache_.capacity()) {
    throw UsageError("the system message of " + counted(conversation_.system_size(), "token") +
                     " is too long for the context of " + std::to_string(cache_.capacity()) + ": " +
                     remedy());
  }
}

// For what is too long.
std::string ChatLoop::remedy() const {
  if (cache_.capacity() == cache_.longest()) return "shorten it; the model has no more positions";
  return "shorten it, or start again with a larger --context (the model has " +
         std::to_string(cache_.longest()) + " positions)";
}

int ChatLoop::run(std::istream& in) {
  if (options_.interactive) talk_ << "/help lists the commands, Ctrl-D ends.\n";
  std::string line;
  while (!interrupted_ && read_line(in, line)) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (line.front() != '/') {
      ask(line);
    } else if (command(line) == Next::Quit) {
      break;
    }
  }
  return interrupted_ ? kExitInterrupted : kExitOk;
}

// False at the end of the input.
bool ChatLoop::read_line(std::istream& in, std::string& line) {
  for (;;) {
    if (options_.interactive) talk_ << "> " << std::flush;
    const bool read = static_cast<bool>(std::getline(in, line));
    const bool ctrl_c = options_.take_interrupt();
    // A person's Ctrl-C ends the read; if there is a line all the same, it was typed after that.
    if (!ctrl_c || (read && options_.interactive)) {
      if (!read && options_.interactive) talk_ << std::endl;
      return read;
    }
    if (!options_.interactive) {
      interrupted_ = true;
      return false;
    }
    // Ctrl-C while waiting for a line makes the read fail; the input itself is not at its end.
    in.clear();
    std::clearerr(stdin);
    talk_ << "\n(/quit or Ctrl-D ends)" << std::endl;
  }
}

ChatLoop::Next ChatLoop::command(const std::string& line) {
  const std::size_t end = line.find_last_not_of(" \t\r") + 1;
  const std::size_t space = std::min(end, line.find_first_of(" \t"));
  const std::string name = line.substr(0, space);
  const std::size_t argument = std::min(end, line.find_first_not_of(" \t", space));
  if (name == "/quit" || name == "/exit") return Next::Quit;
  if (name == "/help") {
    talk_ << kHelp;
  } else if (name == "/reset") {
    conversation_.reset();
    talk_ << "(the conversation is forgotten)\n";
  } else if (name == "/stats") {
    tell_statistics();
  } else if (name == "/save") {
    save(line.substr(argument, end - argument));
  } else {
    talk_ << "(there is no command " << name << "; /help lists them)\n";
  }
  talk_.flush();
  return Next::GoOn;
}

void ChatLoop::ask(const std::string& question) {
  conversation_.ask(question);
  if (!make_room()) {
    conversation_.withdraw();
    talk_ << "(this message is too long for the context of " << cache_.capacity() << " tokens";
    if (!conversation_.system().empty()) {
      talk_ << ", of which " << conversation_.system_size() << " are the system message";
    }
    talk_ << ": " << remedy() << ")" << std::endl;
    return;
  }
  generate_answer();
}

bool ChatLoop::make_room() {
  const std::size_t capacity = cache_.capacity();
  // The model may use a quarter of the context for an answer, if it is allowed that much.
  const std::size_t reserve = std::min<std::size_t>(options_.max_tokens, capacity / 4);
  const auto forgotten = conversation_.make_room(capacity, reserve);
  if (!forgotten) return false;
  if (*forgotten > 0) {
    talk_ << "(the context of " << capacity << " tokens is full: the model forgets the oldest "
          << counted(*forgotten, "exchange") << " and reads the rest again)" << std::endl;
  }
  return true;
}

void ChatLoop::generate_answer() {
  AnswerText text(options_.stop_strings);
  bool interrupted = false;
  const auto on_token = [&](TokenId token) {
    if (!tokenizer_.is_special(token)) out_ << text.push(tokenizer_.bytes(token)) << std::flush;
    check_written(out_, "the answer");
    interrupted = options_.take_interrupt();
    return !interrupted && !text.stopped();
  };
  last_ = prefix_.generate(sampler_, conversation_.ids(), generate_, on_token);
  out_ << text.flush() << '\n';
  check_written(out_, "the answer");
  interrupted |= options_.take_interrupt();  // while the last token was computed

  conversation_.answer(last_.tokens);
  interrupted_ = interrupted && !options_.interactive;
  tell_end(last_, interrupted);
}

// Why the answer ended, unless the model ended it itself.
void ChatLoop::tell_end(const GenerateResult& result, bool interrupted) {
  if (interrupted) {
    talk_ << "(stopped)" << std::endl;
  } else if (result.stop == StopCause::MaxTokens) {
    talk_ << "(cut off after " << counted(result.tokens.size(), "token") << ": --max-tokens)"
          << std::endl;
  } else if (result.stop == StopCause::ContextFull) {
    talk_ << "(cut off: the context of " << counted(cache_.capacity(), "token") << " is full)"
          << std::endl;
  }
}

void ChatLoop::tell_statistics() {
  const std::size_t exchanges = conversation_.exchanges().size();
  talk_ << "context    " << conversation_.size() << " of " << cache_.capacity() << " tokens, "
        << counted(exchanges, "exchange");
  if (conversation_.forgotten() > 0)
    talk_ << ", " << conversation_.forgotten() << " of them forgotten";
  talk_ << "\n";
  if (last_.prompt_tokens > 0) {
    talk_ << "last turn  " << counted(prefix_.kept(), "token") << " from the cache, "
          << last_.prompt_tokens << " read (" << rate_text(last_.prompt_rate()) << "), "
          << last_.tokens.size() << " written (" << rate_text(last_.decode_rate()) << ")\n";
  }
  char memory[64];
  std::snprintf(memory, sizeof memory, "cache      %.1f MB, %zu bytes per token\n",
                static_cast<double>(cache_.bytes()) / 1e6, cache_.bytes_per_position());
  talk_ << memory;
}

void ChatLoop::save(const std::string& path) {
  if (path.empty()) {
    talk_ << "(/save needs the name of a file)\n";
    return;
  }
  std::ofstream file(path);
  if (!conversation_.system().empty()) file << "System: " << conversation_.system() << "\n\n";
  for (const Conversation::Exchange& exchange : conversation_.exchanges()) {
    AnswerText text(options_.stop_strings);
    std::string answer = text.push(tokenizer_.decode(exchange.answer_ids));
    answer += text.flush();
    file << "User: " << exchange.question << "\n\nAssistant: " << answer << "\n\n";
  }
  file.close();
  if (file) {
    talk_ << "(saved " << counted(conversation_.exchanges().size(), "exchange") << " in " << path
          << ")\n";
  } else {
    talk_ << "(" << path << " could not be written)\n";
  }
}

}  // namespace rotor
