#include "bench/process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <sstream>
#include <thread>

#include "bench/sampling.h"
#include "core/error.h"
#include "model/commands.h"
#include "reports/report.h"

extern char** environ;

namespace rotor {
namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

pid_t start(std::vector<std::string> argv, const std::string& scratch, const std::string& extra) {
  std::vector<std::string> environment = {extra};
  for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDERR_FILENO, scratch.c_str(),
                                   O_CREAT | O_TRUNC | O_WRONLY, 0600);
  pid_t child = 0;
  const int error = posix_spawn(&child, argv[0].c_str(), &files, nullptr, pointers(argv).data(),
                                pointers(environment).data());
  posix_spawn_file_actions_destroy(&files);
  if (error != 0) throw DeviceError(argv[0] + ": cannot be run: " + std::strerror(error));
  return child;
}

std::string last_line_of(const std::string& file) {
  std::istringstream text(load_file(file));
  std::string last;
  for (std::string line; std::getline(text, line);) {
    if (!line.empty()) last = line;
  }
  return last;
}

}  // namespace

ProcessEnd run_process(const std::vector<std::string>& argv, double timeout_s,
                       const std::string& scratch, const std::string& extra_environment) {
  const pid_t child = start(argv, scratch, extra_environment);
  const double begin = steady_seconds();
  ProcessEnd end;
  int status = 0;
  bool killed = false;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    const bool late = steady_seconds() - begin > timeout_s;
    if ((late || interrupted()) && !killed) {
      ::kill(child, SIGKILL);
      killed = true;
      end.timed_out = late;
    }
    // Looked at rarely: a parent that wakes up disturbs what it measures.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  end.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  end.last_line = last_line_of(scratch);
  return end;
}

}  // namespace rotor
