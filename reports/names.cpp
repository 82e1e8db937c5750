#include <array>
#include <cstdio>
#include <utility>

#include "core/random.h"
#include "reports/report.h"

namespace rotor {
namespace {

template <typename T, std::size_t kCount>
using Names = std::array<std::pair<T, std::string_view>, kCount>;

constexpr Names<Status, 15> kStatuses = {{
    {Status::Pass, "pass"},
    {Status::PassFlaky, "pass_flaky"},
    {Status::SuspectNumeric, "suspect_numeric"},
    {Status::FailVerify, "fail_verify"},
    {Status::FailGuard, "fail_guard"},
    {Status::FailNondeterministic, "fail_nondeterministic"},
    {Status::Unsupported, "unsupported"},
    {Status::Skipped, "skipped"},
    {Status::Waived, "waived"},
    {Status::Timeout, "timeout"},
    {Status::Crash, "crash"},
    {Status::DeviceLost, "device_lost"},
    {Status::OutOfMemory, "out_of_memory"},
    {Status::Error, "error"},
    {Status::NotRun, "not_run"},
}};

constexpr Names<Criterion, 4> kCriteria = {{
    {Criterion::ExactInt, "exact_int"},
    {Criterion::ExactFloat, "exact_float"},
    {Criterion::BoundedFloat, "bounded_float"},
    {Criterion::BitwiseEqual, "bitwise_equal"},
}};

constexpr Names<StopReason, 5> kStops = {{
    {StopReason::Converged, "converged"},
    {StopReason::MaxTime, "max_time"},
    {StopReason::MaxSamples, "max_samples"},
    {StopReason::Fixed, "fixed"},
    {StopReason::Timeout, "timeout"},
}};

template <typename T, std::size_t kCount>
std::string_view name_in(const Names<T, kCount>& names, T value) {
  for (const auto& [candidate, name] : names) {
    if (candidate == value) return name;
  }
  return "";
}

template <typename T, std::size_t kCount>
std::optional<T> value_in(const Names<T, kCount>& names, std::string_view name) {
  for (const auto& [value, candidate] : names) {
    if (candidate == name) return value;
  }
  return std::nullopt;
}

}  // namespace

std::string_view status_name(Status status) {
  return name_in(kStatuses, status);
}
std::string_view criterion_name(Criterion criterion) {
  return name_in(kCriteria, criterion);
}
std::string_view stop_name(StopReason stop) {
  return name_in(kStops, stop);
}

std::optional<Status> parse_status(std::string_view name) {
  return value_in(kStatuses, name);
}
std::optional<Criterion> parse_criterion(std::string_view name) {
  return value_in(kCriteria, name);
}
std::optional<StopReason> parse_stop(std::string_view name) {
  return value_in(kStops, name);
}

bool is_wrong(Status status) {
  return status == Status::FailVerify || status == Status::FailGuard ||
         status == Status::FailNondeterministic || status == Status::PassFlaky;
}

bool is_broken(Status status) {
  return status == Status::Crash || status == Status::Timeout || status == Status::DeviceLost ||
         status == Status::OutOfMemory || status == Status::Error;
}

std::string hex_key(std::uint64_t value) {
  char text[20];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

namespace {

// Only where there are layers: the keys of all other cases are as they were before there were any.
std::string layers_part(const Case& spec) {
  if (!spec.layers) return "";
  const LayersShape& s = *spec.layers;
  return R"(","layers":")" + std::to_string(s.layers) + '/' + std::to_string(s.ffn) + '/' +
         std::to_string(s.heads) + '/' + std::to_string(s.kv_heads) + '/' +
         std::to_string(s.head_dim) + '/' + std::to_string(s.position);
}

}  // namespace

std::uint64_t case_key(const Case& spec) {
  return fnv1a(R"({"backend":")" + spec.backend + R"(","batch":)" + std::to_string(spec.m) +
               R"(,"cache":")" + (spec.hot ? "hot" : "cold_rotate") + R"(","k":)" +
               std::to_string(spec.k) + R"(,"n":)" + std::to_string(spec.n) + R"(,"op":")" +
               spec.op + R"(","variant":")" + spec.variant + layers_part(spec) + R"("})");
}

}  // namespace rotor
