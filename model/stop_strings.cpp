#include "model/stop_strings.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace rotor {
namespace {

// Length of the longest proper prefix of `stop` that `text` ends with.
std::size_t partial_match(std::string_view text, std::string_view stop) {
  std::size_t size = std::min(text.size(), stop.size() - 1);
  while (!text.ends_with(stop.substr(0, size))) --size;
  return size;
}

}  // namespace

StopStrings::StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {
  for (const std::string& stop : stops_) {
    if (stop.empty())
      throw UsageError("a stop string is empty: it would stop every answer at once");
  }
}

std::string StopStrings::push(std::string_view bytes) {
  if (found_) return {};
  held_ += bytes;
  // Of several, the one that is complete first; of those, the one that began first.
  std::size_t end = std::string::npos;
  std::size_t begin = held_.size();
  for (const std::string& stop : stops_) {
    const std::size_t at = held_.find(stop);
    if (at == std::string::npos || at + stop.size() > end) continue;
    begin = at + stop.size() < end ? at : std::min(begin, at);
    end = at + stop.size();
  }
  found_ = end != std::string::npos;
  if (found_) return std::exchange(held_, {}).substr(0, begin);

  std::size_t keep = 0;
  for (const std::string& stop : stops_) keep = std::max(keep, partial_match(held_, stop));
  std::string shown = held_.substr(0, held_.size() - keep);
  held_.erase(0, shown.size());
  return shown;
}

std::string StopStrings::flush() {
  return std::exchange(held_, {});
}

}  // namespace rotor
