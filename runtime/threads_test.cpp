#include "runtime/threads.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>

#include "core/error.h"

namespace rotor {
namespace {

// As after `ulimit -v`: there is no room for so many stacks.
[[noreturn]] void start_too_many_threads() {
  const rlimit limit{std::size_t{1} << 30, std::size_t{1} << 30};
  setrlimit(RLIMIT_AS, &limit);
  try {
    const WorkerPool pool(1000);
  } catch (const DeviceError& error) {
    std::fputs(error.what(), stderr);
    std::_Exit(error.exit_code());
  }
  std::_Exit(kExitOk);
}

TEST(WorkerPool, TellsHowManyThreadsTheSystemGave) {
#if defined(__SANITIZE_ADDRESS__) || !defined(__x86_64__)
  GTEST_SKIP() << "sanitizers need more than this limit, emulators of a CPU do not keep it";
#endif
  EXPECT_EXIT(start_too_many_threads(), testing::ExitedWithCode(kExitInfrastructure),
              "only [0-9]+ of 1000 threads could be started .*; give --threads [0-9]+ or less");
}

}  // namespace
}  // namespace rotor
