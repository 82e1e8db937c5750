#include "runtime/threads.h"

#include <string>

#include "core/error.h"

namespace rotor {
namespace {

// Looks at an atomic before sleeping on it: about 20 microseconds. A barrier between ops costs less
// than one when nobody is disturbed; under load, sleeping lets the worker that is waited for run.
constexpr unsigned kLooks = 500;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

void wait_for(const std::atomic<std::uint32_t>& value, std::uint32_t wanted) {
  for (unsigned i = 0; i < kLooks; ++i) {
    if (value.load(std::memory_order_acquire) == wanted) return;
    pause();
  }
  for (std::uint32_t now = value.load(std::memory_order_acquire); now != wanted;
       now = value.load(std::memory_order_acquire)) {
    value.wait(now, std::memory_order_acquire);
  }
}

WorkerPool::WorkerPool(unsigned threads) {
  try {
    threads_.reserve(threads - 1);
    for (unsigned worker = 1; worker < threads; ++worker) {
      threads_.emplace_back([this, worker] { work(worker); });
    }
  } catch (const std::exception& error) {  // no memory for another stack, or a limit of the system
    const std::string started = std::to_string(size());
    stop();
    throw DeviceError("only " + started + " of " + std::to_string(threads) +
                      " threads could be started (" + error.what() + "); give --threads " +
                      started + " or less");
  }
}

WorkerPool::~WorkerPool() {
  stop();
}

void WorkerPool::stop() {
  stopping_.store(true);
  generation_.fetch_add(1);
  generation_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::run(const std::function<void(unsigned)>& body) {
  if (!threads_.empty()) {
    body_ = &body;
    running_.store(static_cast<std::uint32_t>(threads_.size()));
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
  }
  body(0);
  wait_for(running_, 0);
}

void WorkerPool::work(unsigned worker) {
  std::uint32_t seen = 0;
  while (true) {
    for (unsigned i = 0; i < kLooks && generation_.load(std::memory_order_acquire) == seen; ++i) {
      pause();
    }
    generation_.wait(seen, std::memory_order_acquire);
    seen = generation_.load(std::memory_order_acquire);
    if (stopping_.load()) return;
    (*body_)(worker);
    if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) running_.notify_all();
  }
}

}  // namespace rotor
