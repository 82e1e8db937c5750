#include <algorithm>
#include <cstdio>
#include <ostream>

#include "core/error.h"
#include "model/commands.h"
#include "model/generate.h"

namespace rotor {
namespace {

std::string format(const char* pattern, auto... values) {
  char text[256];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

double per_second(double count, double seconds) {
  return seconds > 0 ? count / seconds : 0;
}

std::string megabytes(std::size_t bytes) {
  return format("%.1f MB", static_cast<double>(bytes) / 1e6);
}

void tell_statistics(const GenerateResult& result, const Transformer& transformer,
                     const KvCache& cache, std::ostream& talk) {
  const auto steps = static_cast<double>(result.tokens.empty() ? 0 : result.tokens.size() - 1);
  talk << format("prompt     %5u tokens in %.3f s, %.1f tokens/s; first token after %.3f s\n",
                 result.prompt_tokens, result.prompt_seconds,
                 per_second(result.prompt_tokens, result.prompt_seconds),
                 result.first_token_seconds);
  talk << format("generated  %5zu tokens in %.3f s, %.1f tokens/s\n", result.tokens.size(),
                 result.decode_seconds, per_second(steps, result.decode_seconds));
  talk << "memory     " << megabytes(transformer.weight_bytes()) << " weights, "
       << megabytes(transformer.table_bytes()) << " embedding, " << megabytes(cache.bytes())
       << " cache (" << cache.capacity() << " positions, " << packing_name(cache.format()) << "), "
       << megabytes(transformer.activation_bytes()) << " activations\n";
}

const char* cause(StopCause stop) {
  switch (stop) {
    case StopCause::StopToken:
      return "end of text";
    case StopCause::MaxTokens:
      return "--max-tokens reached";
    case StopCause::ContextFull:
      return "context full; raise --context";
    case StopCause::Caller:
      return "interrupted";
  }
  return "?";
}

}  // namespace

int run_generate(const GenerateCommand& command, std::ostream& out, std::ostream& talk) {
  Sampler sampler(command.sampling);
  Session session(command.session);
  const Config& config = session.config();
  const Tokenizer& tokenizer = session.tokenizer();
  std::vector<TokenId> prompt = tokenizer.encode(command.prompt, Specials::Parse);
  if (prompt.empty() || prompt.front() != config.bos) prompt.insert(prompt.begin(), config.bos);

  const auto wanted = static_cast<std::uint32_t>(
      std::min<std::size_t>(prompt.size() + command.max_tokens, config.max_positions));
  KvCache cache(session.device(), config, command.kv,
                command.context != 0 ? command.context : wanted);
  Utf8Stream stream;
  const auto show = [&](TokenId token) {
    if (command.ids) {
      out << token << ' ';
    } else if (!tokenizer.is_special(token)) {
      out << stream.push(tokenizer.bytes(token));
    }
    out.flush();
    if (!out) throw OutputError("the answer could not be written to standard output");
    return !interrupted();
  };
  const GenerateOptions options{
      .max_tokens = command.max_tokens,
      .stop_tokens = config.stop_tokens,
      .recompute = command.no_cache ? Recompute::EveryToken : Recompute::Never};
  const GenerateResult result =
      generate(session.transformer(), cache, sampler, {}, prompt, options, show);
  out << stream.flush() << std::endl;
  talk << "\nmodel      " << session.description() << "\ndevice     "
       << session.device().info().name << ", " << session.device().info().threads << " threads, "
       << session.kernels().get(Op::Matmul, session.kernels().weight_packing(), 1).variant().name
       << "\n";
  tell_statistics(result, session.transformer(), cache, talk);
  talk << "stopped    " << cause(result.stop) << "\n";
  return interrupted() ? kExitInterrupted : kExitOk;
}

}  // namespace rotor
