// Stop strings on a stream of bytes, across token borders.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rotor {

// Passes text on until one of the stop strings is complete, and holds back what may yet become one.
// What is shown does not depend on how the text is cut into pieces.
class StopStrings {
 public:
  // Throws UsageError for an empty stop string.
  explicit StopStrings(std::vector<std::string> stops);

  // What can be shown after these bytes; nothing once a stop string was found.
  std::string push(std::string_view bytes);
  // What was held back, at the end.
  std::string flush();
  // A stop string is complete. It and what follows are not shown.
  bool found() const { return found_; }

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool found_ = false;
};

}  // namespace rotor
