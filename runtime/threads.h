// Worker pool of the CPU device: a fixed number of workers that enter a region together.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

namespace rotor {

// Waits until `value` is `wanted`: looks out for it briefly (the next op is microseconds away), then
// sleeps, so that a disturbed worker neither burns its core nor keeps it from the one it waits for.
// Whoever stores `wanted` must notify.
void wait_for(const std::atomic<std::uint32_t>& value, std::uint32_t wanted);

class WorkerPool {
 public:
  // `threads` workers, at least 1; the caller of `run` is worker 0. Throws DeviceError where the system
  // does not give that many.
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
  void stop();

  std::vector<std::thread> threads_;
  const std::function<void(unsigned)>* body_ = nullptr;
  std::atomic<std::uint32_t> generation_{0};  // changes when there is a new body, or at the end
  std::atomic<std::uint32_t> running_{0};
  std::atomic<bool> stopping_{false};
};

}  // namespace rotor
