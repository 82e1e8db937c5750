#include "bench/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
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

// What a child is born with.
class Birth {
 public:
  Birth() {
    posix_spawn_file_actions_init(&files_);
    posix_spawnattr_init(&attributes_);
    posix_spawn_file_actions_addopen(&files_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  }
  ~Birth() {
    posix_spawn_file_actions_destroy(&files_);
    posix_spawnattr_destroy(&attributes_);
  }
  Birth(const Birth&) = delete;
  Birth& operator=(const Birth&) = delete;

  void errors_to(const std::string& path) {
    posix_spawn_file_actions_addopen(&files_, STDERR_FILENO, path.c_str(),
                                     O_CREAT | O_TRUNC | O_WRONLY, 0600);
  }
  void pass_on(int file, int as) { posix_spawn_file_actions_adddup2(&files_, file, as); }
  // Signals that are sent to a whole group of processes.
  void shield() {
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGTERM);
    posix_spawnattr_setsigmask(&attributes_, &blocked);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK);
  }

  pid_t start(std::vector<std::string> argv, const std::string& extra) {
    std::vector<std::string> environment;
    if (!extra.empty()) environment.push_back(extra);
    for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
    pid_t child = 0;
    const int error = posix_spawn(&child, argv[0].c_str(), &files_, &attributes_,
                                  pointers(argv).data(), pointers(environment).data());
    if (error != 0) throw DeviceError(argv[0] + ": cannot be run: " + std::strerror(error));
    return child;
  }

 private:
  posix_spawn_file_actions_t files_;
  posix_spawnattr_t attributes_;
};

std::string last_line(const std::string& said) {
  std::istringstream text(said);
  std::string last;
  for (std::string line; std::getline(text, line);) {
    if (!line.empty()) last = line;
  }
  return last;
}

int exit_code_of(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// For a process to end by itself.
constexpr double kGraceSeconds = 2;
// A process that is stuck in a driver cannot even be killed: it is left behind after this time.
constexpr double kReapSeconds = 5;

// The end of a file, as much as a message may need.
std::string tail_of(int file) {
  constexpr off_t kTail = 4096;
  const off_t size = ::lseek(file, 0, SEEK_END);
  std::string text(static_cast<std::size_t>(std::clamp<off_t>(size, 0, kTail)), ' ');
  const ssize_t n = ::pread(file, text.data(), text.size(), std::max<off_t>(size - kTail, 0));
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  return text;
}

}  // namespace

ProcessEnd run_process(const std::vector<std::string>& argv, double timeout_s,
                       const std::string& scratch, const std::string& extra_environment) {
  Birth birth;
  birth.errors_to(scratch);
  const pid_t child = birth.start(argv, extra_environment);
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
  end.code = exit_code_of(status);
  end.last_line = last_line(load_file(scratch));
  return end;
}

TalkingProcess::TalkingProcess(const std::vector<std::string>& argv,
                               const std::string& extra_environment) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    throw DeviceError(std::string("no socket for a worker: ") + std::strerror(errno));
  }
  channel_ = ends[0];
  errors_ = ::memfd_create("errors", MFD_CLOEXEC);
  Birth birth;
  birth.shield();
  birth.pass_on(errors_, STDERR_FILENO);
  birth.pass_on(ends[1], kChannel);
  try {
    pid_ = birth.start(argv, extra_environment);
  } catch (...) {
    for (const int file : {ends[0], ends[1], errors_}) ::close(file);
    throw;
  }
  ::close(ends[1]);
}

TalkingProcess::~TalkingProcess() {
  end();
  ::close(channel_);
  ::close(errors_);
}

bool TalkingProcess::send(const std::string& line) const {
  return write_all(channel_, line + '\n');
}

TalkingProcess::Heard TalkingProcess::receive(double seconds, std::string& line) {
  std::size_t end = heard_.find('\n');
  if (end == std::string::npos) {
    pollfd wait{channel_, POLLIN, 0};
    if (::poll(&wait, 1, static_cast<int>(std::ceil(1e3 * seconds))) <= 0) return Heard::Nothing;
    char piece[1 << 16];
    const ssize_t n = ::recv(channel_, piece, sizeof piece, 0);
    if (n < 0 && errno == EINTR) return Heard::Nothing;
    if (n <= 0) return Heard::Gone;
    heard_.append(piece, static_cast<std::size_t>(n));
    end = heard_.find('\n');
    if (end == std::string::npos) return Heard::Nothing;
  }
  line = heard_.substr(0, end);
  heard_.erase(0, end + 1);
  return Heard::Line;
}

void TalkingProcess::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

void TalkingProcess::spread_threads() const {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  std::vector<int> processors;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &allowed)) processors.push_back(i);
  }
  std::vector<pid_t> threads;
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/task", ignored)) {
    threads.push_back(std::stoi(entry.path().filename().string()));
  }
  if (threads.size() > processors.size()) return;
  std::sort(threads.begin(), threads.end());
  for (std::size_t i = 0; i < threads.size(); ++i) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(processors[i], &one);
    ::sched_setaffinity(threads[i], sizeof one, &one);
  }
}

ProcessEnd TalkingProcess::end() {
  ProcessEnd end;
  if (pid_ < 0) return end;
  int status = 0;
  // What has lost its channel is about to end by itself, and how is worth knowing.
  ::shutdown(channel_, SHUT_RDWR);
  const double begin = steady_seconds();
  bool killed = false;
  pid_t ended = 0;
  while ((ended = ::waitpid(pid_, &status, WNOHANG)) == 0) {
    const double waited = steady_seconds() - begin;
    if (!killed && waited > kGraceSeconds) {
      ::kill(pid_, SIGKILL);
      killed = true;
    }
    if (waited > kReapSeconds) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  if (ended == pid_) end.code = exit_code_of(status);
  end.last_line = last_line(tail_of(errors_));
  pid_ = -1;
  return end;
}

bool write_all(int file, const std::string& text) {
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t n = ::write(file, text.data() + written, text.size() - written);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    written += static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace rotor
