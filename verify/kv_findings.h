// What the modes of a KvRunner and their parts share: how a result fails, and differences of values.
#pragma once

#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "core/result.h"

namespace rotor {

// Fails a result that has not failed yet: the first finding is the one to tell.
inline void fail(KvResult& result, const char* code, const std::string& message) {
  if (result.status != Status::Pass) return;
  result.status = Status::FailVerify;
  result.reason_code = code;
  result.message = message;
}

// |a - b|, infinite if one of them is NaN.
inline double difference(double a, double b) {
  const double d = std::fabs(a - b);
  return std::isnan(d) ? std::numeric_limits<double>::infinity() : d;
}

// Numbers in reports are finite.
inline std::optional<double> finite(double value) {
  return std::isfinite(value) ? std::optional(value) : std::nullopt;
}

}  // namespace rotor
