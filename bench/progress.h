// One line on a terminal that says how far a run is; silent elsewhere.
#pragma once

#include <iosfwd>
#include <string>

namespace rotor {

class Progress {
 public:
  Progress(std::ostream& talk, bool terminal) : talk_(talk), terminal_(terminal) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // "step", what is going on, and the seconds left where they are known (else negative).
  void show(const std::string& step, const std::string& what, double left_s);
  // A line that stays.
  void say(const std::string& text);
  void clear();

 private:
  std::ostream& talk_;
  bool terminal_;
  bool shown_ = false;
};

// "2 min 05 s"
std::string show_duration(double seconds);

}  // namespace rotor
