#include "reports/json_models.h"

#include <cmath>

namespace rotor {

Json kv_json(const KvResult& kv) {
  Json divergence = nullptr;
  if (kv.first_divergence) divergence = {{"position", *kv.first_divergence}};
  return {{"id", kv.id},
          {"device", kv.device},
          {"status", status_name(kv.status)},
          {"reason", reason_json(kv.reason_code, kv.message)},
          {"mode", kv.mode},
          {"variant", kv.variant},
          {"positions", kv.positions},
          {"attn_max_rel", json_number(kv.attn_max_rel)},
          {"kv_rows_unequal", or_null(kv.kv_rows_unequal)},
          {"logit_median_rel", json_number(kv.logit_median_rel)},
          {"logit_max_rel", json_number(kv.logit_max_rel)},
          {"int8_flip_rate", json_number(kv.int8_flip_rate)},
          {"tokens_equal", or_null(kv.tokens_equal)},
          {"first_divergence", divergence},
          {"tolerance", finite_numbers(kv.tolerance)}};
}

KvResult read_kv(const JsonReader& in) {
  KvResult kv;
  kv.id = in.get<std::string>("id");
  kv.device = in.get<std::string>("device");
  kv.mode = in.get<std::string>("mode");
  kv.variant = in.get<std::string>("variant");
  kv.status = in.name("status", parse_status);
  read_reason(in, kv.reason_code, kv.message);
  kv.positions = in.get<std::uint32_t>("positions");
  kv.attn_max_rel = in.optional<double>("attn_max_rel");
  kv.kv_rows_unequal = in.optional<std::uint64_t>("kv_rows_unequal");
  kv.logit_median_rel = in.optional<double>("logit_median_rel");
  kv.logit_max_rel = in.optional<double>("logit_max_rel");
  kv.int8_flip_rate = in.optional<double>("int8_flip_rate");
  kv.tokens_equal = in.optional<std::uint32_t>("tokens_equal");
  if (in.has("first_divergence")) {
    kv.first_divergence = in.at("first_divergence").optional<std::uint32_t>("position");
  }
  kv.tolerance = in.numbers("tolerance");
  return kv;
}

Json kv_timing_json(const KvTiming& t) {
  Json json = {{"model", t.model},
               {"device", t.device},
               {"position", t.position},
               {"format", t.format},
               {"with_cache_ns", as_nanoseconds(t.with_cache_s)},
               {"without_cache_ns", as_nanoseconds(t.without_cache_s)},
               {"with_cache_samples_ns", json_list(t.with_cache_samples_s, as_nanoseconds)},
               {"without_cache_samples_ns", json_list(t.without_cache_samples_s, as_nanoseconds)}};
  if (t.with_cache_device_s) json["with_cache_device_ns"] = as_nanoseconds(*t.with_cache_device_s);
  if (t.without_cache_device_s) {
    json["without_cache_device_ns"] = as_nanoseconds(*t.without_cache_device_s);
  }
  if (t.token_bytes != 0) {
    json["head"] = t.head;
    json["variant"] = t.variant;
    json["prompt_variant"] = t.prompt_variant;
    json["token_bytes"] = t.token_bytes;
    json["token_macs"] = t.token_macs;
  }
  return json;
}

KvTiming read_kv_timing(const JsonReader& in) {
  const auto device = [&](const char* key) {
    return in.has(key) ? std::optional(in.get<double>(key) * 1e-9) : std::nullopt;
  };
  return {in.text("model"),
          in.text("device"),
          in.get<std::uint32_t>("position"),
          in.text("format"),
          in.get<double>("with_cache_ns") * 1e-9,
          in.get<double>("without_cache_ns") * 1e-9,
          in.times("with_cache_samples_ns", 1e-9),
          in.times("without_cache_samples_ns", 1e-9),
          device("with_cache_device_ns"),
          device("without_cache_device_ns"),
          in.text("head"),
          in.text("variant"),
          in.text("prompt_variant"),
          in.get<std::uint64_t>("token_bytes", 0),
          in.get<std::uint64_t>("token_macs", 0)};
}

namespace {

Json text_score_json(const TextScore& text) {
  return {{"name", text.name},
          {"tokens", text.tokens},
          {"nll", json_number(text.nll)},
          {"perplexity", json_number(std::exp(text.nll))},
          {"seconds", as_seconds(text.seconds)}};
}

TextScore read_text_score(const JsonReader& in) {
  return {in.text("name"), in.get<std::uint32_t>("tokens"), in.get<double>("nll"),
          in.get("seconds", 0.0)};
}

Json chat_score_json(const ChatScore& chats) {
  Json topics = Json::object();
  for (const auto& [name, topic] : chats.topics) {
    topics[name] = {{"asked", topic.asked}, {"right", topic.right}};
  }
  Json wrong = Json::array();
  for (const ChatScore::Wrong& w : chats.wrong) {
    wrong.push_back({{"question", w.question}, {"expected", w.expected}, {"answer", w.answer}});
  }
  const ChatScore::Topic all = chats.total();
  return {{"asked", all.asked},
          {"right", all.right},
          {"share_right", json_number(static_cast<double>(all.right) / all.asked)},
          {"topics", topics},
          {"wrong", wrong},
          {"answer_tokens", chats.answer_tokens},
          {"seconds", as_seconds(chats.seconds)}};
}

ChatScore read_chat_score(const JsonReader& in) {
  ChatScore chats;
  for (const std::string& name : in.at("topics").names()) {
    const JsonReader topic = in.at("topics").at(name.c_str());
    chats.topics[name] = {topic.get<std::uint32_t>("asked"), topic.get<std::uint32_t>("right")};
  }
  chats.wrong = in.list("wrong", [](const JsonReader& w) {
    return ChatScore::Wrong{w.text("question"), w.text("expected"), w.text("answer")};
  });
  chats.answer_tokens = in.get<std::uint32_t>("answer_tokens", 0);
  chats.seconds = in.get("seconds", 0.0);
  return chats;
}

Json strategy_json(const StrategyScore& strategy) {
  return {{"name", strategy.name},
          {"texts", strategy.texts},
          {"tokens", strategy.tokens},
          {"distinct", json_list(strategy.distinct, [](double share) { return share; })},
          {"longest_repeat", strategy.longest_repeat},
          {"token_ns", json_list(strategy.token_s, as_nanoseconds)},
          {"draw_samples_ns", json_list(strategy.draw_samples_s, as_nanoseconds)}};
}

StrategyScore read_strategy(const JsonReader& in) {
  return {in.get<std::string>("name"),
          in.get<std::uint32_t>("texts"),
          in.get<std::uint32_t>("tokens"),
          in.get<std::vector<double>>("distinct"),
          in.get<std::uint32_t>("longest_repeat"),
          in.times("token_ns", 1e-9),
          in.times("draw_samples_ns", 1e-9)};
}

}  // namespace

Json quality_json(const QualityResult& quality) {
  Json strategies = Json::array();
  for (const StrategyScore& s : quality.strategies) strategies.push_back(strategy_json(s));
  return {{"id", quality.id},
          {"device", quality.device},
          {"model", quality.model},
          {"kv", quality.kv},
          {"head", text_or_null(quality.head)},
          {"status", status_name(quality.status)},
          {"reason", reason_json(quality.reason_code, quality.message)},
          {"text", quality.text ? text_score_json(*quality.text) : Json(nullptr)},
          {"chats", quality.chats ? chat_score_json(*quality.chats) : Json(nullptr)},
          {"strategies", strategies}};
}

QualityResult read_quality(const JsonReader& in) {
  QualityResult quality;
  quality.id = in.get<std::string>("id");
  quality.device = in.get<std::string>("device");
  quality.model = in.text("model");
  quality.kv = in.text("kv");
  quality.head = in.text("head");
  quality.status = in.name("status", parse_status);
  read_reason(in, quality.reason_code, quality.message);
  if (in.has("text")) quality.text = read_text_score(in.at("text"));
  if (in.has("chats")) quality.chats = read_chat_score(in.at("chats"));
  quality.strategies = in.list("strategies", read_strategy);
  return quality;
}

Json sampler_check_json(const SamplerCheck& check) {
  return {{"filter", check.filter},
          {"seed", hex_seed(check.seed)},
          {"status", status_name(check.status)},
          {"reason", reason_json(check.reason_code, check.message)},
          {"draws", check.draws},
          {"kept", check.kept},
          {"impossible", check.impossible},
          {"chi_square", json_number(check.chi_square)},
          {"freedom", check.freedom},
          {"p_value", json_number(check.p_value)}};
}

SamplerCheck read_sampler_check(const JsonReader& in) {
  SamplerCheck check;
  check.filter = in.get<std::string>("filter");
  check.seed = in.hex("seed");
  check.status = in.name("status", parse_status);
  read_reason(in, check.reason_code, check.message);
  check.draws = in.get<std::uint64_t>("draws");
  check.kept = in.get<std::uint32_t>("kept");
  check.impossible = in.get<std::uint64_t>("impossible");
  check.chi_square = in.get<double>("chi_square");
  check.freedom = in.get<std::uint32_t>("freedom");
  check.p_value = in.get<double>("p_value");
  return check;
}

}  // namespace rotor
