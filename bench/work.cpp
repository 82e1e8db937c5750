// The worker's side of bench/worker.h.

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "bench/plan.h"
#include "bench/sampling.h"
#include "bench/workbench.h"
#include "bench/worker.h"
#include "bench/worker_lines.h"
#include "core/error.h"
#include "model/commands.h"

namespace rotor {
namespace {

// Signs of life are not written more often than this, in seconds.
constexpr double kTellEvery = 0.5;

// The channel to the parent. Without one the worker has nothing to live for.
class Channel {
 public:
  void write(const std::string& line) {
    if (!write_all(TalkingProcess::kChannel, line + '\n')) ::_exit(kExitInfrastructure);
  }

  // Nothing: the parent is done.
  std::optional<std::string> read() {
    std::size_t end;
    while ((end = heard_.find('\n')) == std::string::npos) {
      char piece[4096];
      const ssize_t n = ::read(TalkingProcess::kChannel, piece, sizeof piece);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return std::nullopt;
      heard_.append(piece, static_cast<std::size_t>(n));
    }
    std::string line = heard_.substr(0, end);
    heard_.erase(0, end + 1);
    return line;
  }

 private:
  std::string heard_;
};

std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  return text;
}

TaskSink sink_to(Channel& channel) {
  TaskSink sink;
  sink.record = [&](const Record& record) { channel.write(write_record(record)); };
  sink.phase = [&](const std::string& phase) { channel.write(kWorkerPhase + phase); };
  sink.warn = [&](const std::string& text) { channel.write(kWorkerWarn + one_line(text)); };
  sink.alive = [&, told = steady_seconds()](const std::string& step) mutable {
    if (const double now = steady_seconds(); now - told > kTellEvery) {
      channel.write(kWorkerAlive + one_line(step));
      told = now;
    }
    return !interrupted();
  };
  return sink;
}

}  // namespace

int run_worker(const BenchOptions& options) {
  // A parent that was killed leaves nobody behind, not even a worker that hangs.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::signal(SIGUSR1, [](int) { interrupt(); });
  struct stat channel_is {};
  if (::fstat(TalkingProcess::kChannel, &channel_is) != 0 || !S_ISSOCK(channel_is.st_mode)) {
    throw UsageError("--worker is for rotor-bench itself, which starts workers");
  }
  ::fcntl(TalkingProcess::kChannel, F_SETFD, FD_CLOEXEC);  // not for what a driver starts
  const BenchPlan plan = make_plan(options);
  Workbench bench(options, plan, options.device);
  Channel channel;
  const TaskSink sink = sink_to(channel);
  channel.write(std::string(kWorkerReady) + kKnowsSlices);
  while (const std::optional<std::string> line = channel.read()) {
    const std::optional<Fault> failure = bench.perform(parse_task(*line), sink);
    channel.write(!failure ? kWorkerDone
                           : kWorkerFailed + std::string(status_name(failure->status)) + '\t' +
                                 failure->reason_code + '\t' + one_line(failure->message));
  }
  return kExitOk;
}

}  // namespace rotor
