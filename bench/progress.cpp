#include "bench/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ostream>

#include "reports/text.h"

namespace rotor {

void Progress::show(const std::string& step, const std::string& what, double left_s) {
  if (!terminal_) return;
  std::string line = step + "  " + what;
  // One column stays free: a full line would wrap on some terminals.
  const std::string left = left_s < 0 ? "" : "  " + show_duration(left_s) + " left";
  line =
      pad_right(clip(line, kConsoleColumns - 1 - left.size()), kConsoleColumns - 1 - left.size());
  talk_ << '\r' << line << left << std::flush;
  shown_ = true;
}

void Progress::say(const std::string& text) {
  clear();
  talk_ << text << std::endl;
}

void Progress::clear() {
  if (!shown_) return;
  talk_ << '\r' << std::string(kConsoleColumns - 1, ' ') << '\r' << std::flush;
  shown_ = false;
}

std::string show_duration(double seconds) {
  const long whole = std::lround(std::max(seconds, 0.0));
  char text[48];
  if (whole >= 60) {
    std::snprintf(text, sizeof text, "%ld min %02ld s", whole / 60, whole % 60);
  } else {
    std::snprintf(text, sizeof text, "%ld s", whole);
  }
  return text;
}

}  // namespace rotor
