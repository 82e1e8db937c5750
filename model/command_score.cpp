#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <ostream>

#include "core/error.h"
#include "core/written.h"
#include "model/commands.h"
#include "model/output_file.h"
#include "model/score.h"

namespace rotor {
namespace {

nlohmann::json to_json(const Scores& scores, bool all_logits) {
  std::vector<std::uint32_t> order(scores.last_logits.size());
  std::iota(order.begin(), order.end(), 0u);
  const std::size_t top = std::min<std::size_t>(16, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(top), order.end(),
                    [&](std::uint32_t a, std::uint32_t b) {
                      return scores.last_logits[a] != scores.last_logits[b]
                                 ? scores.last_logits[a] > scores.last_logits[b]
                                 : a < b;
                    });
  order.resize(top);
  std::vector<float> values;
  for (const std::uint32_t id : order) values.push_back(scores.last_logits[id]);
  nlohmann::json json = {{"ids", scores.ids},
                         {"argmax", scores.argmax},
                         {"margin", scores.margin},
                         {"nll", scores.nll},
                         {"top16_last_ids", order},
                         {"top16_last_logits", values},
                         {"layer_rms_last", scores.layer_rms_last}};
  json["perplexity"] = scores.nll.empty() ? nlohmann::json() : nlohmann::json(perplexity(scores));
  if (all_logits) json["last_logits"] = scores.last_logits;
  return json;
}

void write_json(const Scores& scores, const ScoreCommand& command, std::ostream& out) {
  const std::string text = to_json(scores, command.logits).dump() + "\n";
  if (command.json_file == "-") {
    out << text;
  } else {
    write_text_file(command.json_file, text);
  }
}

void write_table(const Scores& scores, std::ostream& out) {
  out << "position       id   argmax    margin       nll\n";
  char line[96];
  for (std::size_t i = 0; i < scores.argmax.size(); ++i) {
    std::snprintf(line, sizeof line, "%8zu %8u %8u %9.4f ", i, scores.ids[i], scores.argmax[i],
                  scores.margin[i]);
    out << line;
    if (i < scores.nll.size()) {
      std::snprintf(line, sizeof line, "%9.4f\n", scores.nll[i]);
      out << line;
    } else {
      out << "        -\n";
    }
  }
}

}  // namespace

int run_score(const ScoreCommand& command, std::ostream& out, std::ostream& talk) {
  if (command.ids_file.empty() == command.text_file.empty()) {
    throw UsageError("score needs either --ids FILE or --text FILE");
  }
  SessionOptions options = command.session;
  options.needs_tokenizer = !command.text_file.empty();
  Session session(options);
  const std::string& path = command.ids_file.empty() ? command.text_file : command.ids_file;
  std::vector<std::uint32_t> ids;
  if (!command.ids_file.empty()) {
    ids = parse_ids(read_file(path), input_name(path), session.config().vocab);
  } else {
    ids = session.tokenizer().encode(read_file(path));
    ids.insert(ids.begin(), session.config().bos);
  }
  if (ids.empty()) throw FormatError(input_name(path) + ": no token ids in it");
  const std::uint32_t longest = session.config().max_positions;
  if (ids.size() > longest) {
    throw UsageError(input_name(path) + ": " + std::to_string(ids.size()) +
                     " tokens, and the model has " + std::to_string(longest) +
                     " positions; score it in parts");
  }
  KvCache cache(session.device(), session.config(), command.kv,
                static_cast<std::uint32_t>(ids.size()));
  const Scores scores = score(session.transformer(), cache, std::move(ids),
                              command.no_cache ? Recompute::EveryToken : Recompute::Never,
                              [] { return !interrupted(); });
  if (interrupted()) return kExitInterrupted;
  if (!command.json_file.empty()) write_json(scores, command, out);
  if (command.json_file != "-") write_table(scores, out);
  check_written(out, "the scores");
  if (!scores.nll.empty()) talk << "perplexity " << perplexity(scores) << "\n";
  return kExitOk;
}

}  // namespace rotor
