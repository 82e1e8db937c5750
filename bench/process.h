// Child processes: one that is waited for and ended when it takes too long, and one that is talked to.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace rotor {

struct ProcessEnd {
  int code = -1;           // exit code; 128 + signal where one ended it
  bool timed_out = false;  // and was ended therefore
  std::string last_line;   // of what it said on standard error
};

// Runs `argv` (argv[0] is the program's path) with standard output discarded and `extra_environment`
// ("NAME=value") added. Ends it after `timeout_s`, or when this program is interrupted. Throws
// DeviceError if it cannot be started. `scratch` is a file for its standard error.
ProcessEnd run_process(const std::vector<std::string>& argv, double timeout_s,
                       const std::string& scratch, const std::string& extra_environment);

// A process that is talked to in lines over a socket, its descriptor kChannel. It knows nothing of
// Ctrl-C: that is for its parent to deal with. Its standard output is discarded.
class TalkingProcess {
 public:
  static constexpr int kChannel = 3;

  // `extra_environment` as in run_process, or empty. Throws DeviceError if it cannot be started.
  explicit TalkingProcess(const std::vector<std::string>& argv,
                          const std::string& extra_environment = "");
  ~TalkingProcess();  // ends it
  TalkingProcess(const TalkingProcess&) = delete;
  TalkingProcess& operator=(const TalkingProcess&) = delete;

  // False: it is gone, or does not listen.
  bool send(const std::string& line) const;

  enum class Heard : std::uint8_t { Line, Nothing, Gone };
  // Waits for its next line, at most so many seconds; less when a signal comes.
  Heard receive(double seconds, std::string& line);

  void signal(int number) const;
  // Gives every thread that it has now a processor of its own, where there are enough of them for that.
  void spread_threads() const;
  // Ends it, if it has not ended by itself, and says how it ended.
  ProcessEnd end();

 private:
  pid_t pid_ = -1;
  int channel_ = -1;
  int errors_ = -1;  // a nameless file with its standard error
  std::string heard_;
};

// Writes all of `text`; false where that fails.
bool write_all(int file, const std::string& text);

}  // namespace rotor
