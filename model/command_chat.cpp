#include <istream>
#include <ostream>
#include <utility>

#include "core/error.h"
#include "model/chat_loop.h"
#include "model/commands.h"

namespace rotor {

int run_chat(const ChatCommand& command, std::istream& in, std::ostream& out, std::ostream& talk) {
  SessionOptions session_options = command.session;
  session_options.needs_tokenizer = true;
  Session session(session_options);
  if (interrupted()) return kExitInterrupted;  // while loading
  const Config& config = session.config();
  SamplingOptions sampling = command.sampling;
  sampling.bos = config.bos;
  Sampler sampler(sampling);
  KvCache cache(session.device(), config, command.kv,
                command.context != 0 ? command.context : config.max_positions);
  ChatOptions options;
  options.system = command.system;
  options.answer_prompt = command.answer_prompt;
  options.stop_strings = command.stop_strings;
  options.max_tokens = command.max_tokens;
  options.interactive = command.interactive;
  options.take_interrupt = take_interrupt;
  if (command.interactive) {
    talk << "model      " << session.description() << "\ndevice     "
         << session.device().info().name << (session.kernels().tuning().empty() ? "" : ", tuned")
         << ", context of " << cache.capacity() << " tokens\n";
  }
  ChatLoop loop(session.transformer(), session.tokenizer(), cache, sampler, std::move(options), out,
                talk);
  const int code = loop.run(in);
  if (code == kExitOk) check_read(in);
  return code;
}

}  // namespace rotor
