#include <cstdio>
#include <nlohmann/json.hpp>
#include <ostream>

#include "core/error.h"
#include "core/written.h"
#include "model/commands.h"
#include "model/inspect.h"

namespace rotor {
namespace {

using Members = nlohmann::ordered_json;
using Status = AcceptanceCheck::Status;

constexpr Packing kCaches[] = {Packing::F32, Packing::F16, Packing::Int8Row};

std::string format(const char* pattern, auto... values) {
  char text[512];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

const char* cache_name(Packing packing) {
  return packing == Packing::Int8Row ? "int8" : packing == Packing::F16 ? "f16" : "f32";
}

const char* status_name(Status status) {
  return status == Status::Passed ? "passed" : status == Status::Failed ? "failed" : "not run";
}

std::string size_text(std::uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes == 0) return "-";
  if (bytes < 1'000'000) return format("%.1f kB", value / 1e3);
  return bytes < 1'000'000'000 ? format("%.1f MB", value / 1e6) : format("%.3f GB", value / 1e9);
}

void tell_config(const Inspection& found, const std::string& model, std::ostream& out) {
  const Config& config = found.config;
  std::string stops;
  for (const std::uint32_t stop : config.stop_tokens)
    stops.append(" ").append(std::to_string(stop));
  out << "model       " << model << "\nformat      " << found.description << "\n"
      << format(
             "shape       %u layers; hidden %u, ffn %u; %u heads of %u, %u for keys and values\n",
             config.layers, config.hidden, config.ffn, config.heads, config.head_dim,
             config.kv_heads)
      << format("vocabulary  %u tokens; begin %u, stop%s; %s\n", config.vocab, config.bos,
                stops.empty() ? " at none" : stops.c_str(),
                config.tied_head ? "head tied to the embedding" : "a head of its own")
      << format("positions   %u; RoPE base %g, norm epsilon %g\n\n", config.max_positions,
                static_cast<double>(config.rope_theta), static_cast<double>(config.norm_epsilon));
}

void tell_bytes(const Inspection& found, std::ostream& out) {
  for (const TypeSummary& type : found.types) {
    out << format("tensors     %-6s %5zu  %12s\n", type.type.c_str(), type.tensors,
                  size_text(type.bytes).c_str());
  }
  out << (found.types.empty() ? "" : "\n") << "                in the file     in memory\n";
  const auto row = [&](const char* name, std::uint64_t PartBytes::*part) {
    out << format("%-12s %14s%14s\n", name, size_text(found.in_file.*part).c_str(),
                  size_text(found.in_memory.*part).c_str());
  };
  row("projections", &PartBytes::projections);
  row("embedding", &PartBytes::embedding);
  row("head", &PartBytes::head);
  row("norms", &PartBytes::norms);
  out << format("%-12s %14s%14s\n\n", "total", size_text(found.in_file.total()).c_str(),
                size_text(found.in_memory.total()).c_str());
}

void tell_scales(const ScaleSummary& scales, std::ostream& out) {
  out << format("scales      min %.4g, median %.4g, max %.4g; layer 0, query: %.5g\n",
                static_cast<double>(scales.smallest), static_cast<double>(scales.median),
                static_cast<double>(scales.largest), static_cast<double>(scales.first))
      << format("trits       %.1f %% are zero\n\n", 100 * scales.zero_share);
}

void tell_memory(const Inspection& found, std::uint32_t context, std::ostream& out) {
  const auto row = [&](const char* name, auto bytes) {
    out << format("%-17s", name);
    for (const Packing cache : kCaches) out << format("%12s", size_text(bytes(cache)).c_str());
    out << "\n";
  };
  const auto position = [&](Packing cache) { return kv_bytes_per_position(found.config, cache); };
  out << format("memory for %u positions, by format of the KV cache\n%-17s", context, "");
  for (const Packing cache : kCaches) out << format("%12s", cache_name(cache));
  out << "\n";
  row("weights", [&](Packing) { return found.in_memory.total(); });
  row("cache, a position", position);
  row("cache", [&](Packing cache) { return context * position(cache); });
  row("together",
      [&](Packing cache) { return found.in_memory.total() + context * position(cache); });
  out << "\n";
}

void tell_checks(const Inspection& found, std::ostream& out) {
  out << "acceptance\n";
  for (const AcceptanceCheck& check : found.checks) {
    const char* mark = check.status == Status::Passed ? "✓" : "✗";
    if (check.status == Status::NotRun) mark = "-";
    out << "  " << mark << format(" %-42s ", check.what.c_str())
        << (check.status == Status::NotRun ? "not run: " : "") << check.detail << "\n";
  }
}

Members to_json(const PartBytes& parts) {
  return {{"projections", parts.projections},
          {"embedding", parts.embedding},
          {"head", parts.head},
          {"norms", parts.norms},
          {"total", parts.total()}};
}

Members to_json(const Config& config) {
  return {{"vocab", config.vocab},
          {"hidden", config.hidden},
          {"ffn", config.ffn},
          {"layers", config.layers},
          {"heads", config.heads},
          {"kv_heads", config.kv_heads},
          {"head_dim", config.head_dim},
          {"max_positions", config.max_positions},
          {"rope_theta", config.rope_theta},
          {"norm_epsilon", config.norm_epsilon},
          {"tied_head", config.tied_head},
          {"bos", config.bos},
          {"stop_tokens", config.stop_tokens}};
}

Members to_json(const Inspection& found, const std::string& model, std::uint32_t context) {
  Members types = Members::array();
  for (const TypeSummary& type : found.types) {
    types.push_back({{"type", type.type}, {"tensors", type.tensors}, {"bytes", type.bytes}});
  }
  Members caches;
  for (const Packing cache : kCaches) {
    const std::uint64_t position = kv_bytes_per_position(found.config, cache);
    caches[cache_name(cache)] = {{"bytes_per_position", position},
                                 {"cache_bytes", context * position},
                                 {"total_bytes", found.in_memory.total() + context * position}};
  }
  Members checks = Members::array();
  for (const AcceptanceCheck& check : found.checks) {
    checks.push_back({{"id", check.id},
                      {"what", check.what},
                      {"status", status_name(check.status)},
                      {"detail", check.detail}});
  }
  const ScaleSummary& scales = found.scales;
  return {{"model", model},
          {"format", found.description},
          {"config", to_json(found.config)},
          {"tensors", types},
          {"bytes", {{"file", to_json(found.in_file)}, {"memory", to_json(found.in_memory)}}},
          {"scales",
           {{"min", scales.smallest},
            {"median", scales.median},
            {"max", scales.largest},
            {"layer_0_query", scales.first}}},
          {"trits", scales.trits},
          {"zero_share", scales.zero_share},
          {"context", context},
          {"kv", caches},
          {"checks", checks},
          {"accepted", accepted(found)}};
}

}  // namespace

int run_inspect(const InspectCommand& command, std::ostream& out) {
  const Inspection found = inspect(command.model, command.options);
  const std::uint32_t longest = found.config.max_positions;
  if (command.context > longest) {
    throw UsageError("--context " + std::to_string(command.context) + ": the model has " +
                     std::to_string(longest) + " positions");
  }
  const std::uint32_t context = command.context == 0 ? longest : command.context;
  if (command.json) {
    out << to_json(found, command.model, context)
               .dump(2, ' ', false, Members::error_handler_t::replace)
        << "\n";
  } else {
    tell_config(found, command.model, out);
    tell_bytes(found, out);
    tell_scales(found.scales, out);
    tell_memory(found, context, out);
    tell_checks(found, out);
  }
  check_written(out, "the inspection");
  return accepted(found) ? kExitOk : kExitBadInput;
}

}  // namespace rotor
