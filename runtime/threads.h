// Worker pool of the CPU device: a fixed number of workers that enter a region together.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace rotor {

// Waits until `done()` holds: spins briefly (a token's next op is microseconds away), then yields,
// so that a busy or virtual machine is not burnt. `done` must become true by another thread's
// store.
template <typename Predicate>
void spin_until(Predicate done) {
  for (unsigned i = 0; !done(); ++i) {
    if (i < 2000) {
#if defined(__x86_64__)
      __builtin_ia32_pause();
#elif defined(__aarch64__)
      asm volatile("yield");
#endif
    } else {
      std::this_thread::yield();
    }
  }
}

class WorkerPool {
 public:
  // `threads` workers, at least 1; the caller of `run` is worker 0.
  explicit WorkerPool(unsigned threads);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  unsigned size() const { return static_cast<unsigned>(threads_.size()) + 1; }

  // Calls body(worker) once on every worker, at the same time, and returns when all are done. The
  // body must not throw. Allocates nothing.
  void run(const std::function<void(unsigned)>& body);

 private:
  void work(unsigned worker);

  std::vector<std::thread> threads_;
  const std::function<void(unsigned)>* body_ = nullptr;
  std::atomic<std::uint32_t> generation_{0};  // changes when there is a new body, or at the end
  std::atomic<std::uint32_t> running_{0};
  std::atomic<bool> stopping_{false};
};

}  // namespace rotor
