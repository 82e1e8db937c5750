#include "runtime/threads.h"

#include <chrono>

namespace rotor {
namespace {

// How long a worker looks out for the next region before it sleeps. Longer than sampling a token
// takes, short enough that an idle chat costs nothing.
constexpr auto kLookout = std::chrono::microseconds(200);

}  // namespace

WorkerPool::WorkerPool(unsigned threads) {
  for (unsigned worker = 1; worker < threads; ++worker) {
    threads_.emplace_back([this, worker] { work(worker); });
  }
}

WorkerPool::~WorkerPool() {
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
  spin_until([this] { return running_.load(std::memory_order_acquire) == 0; });
}

void WorkerPool::work(unsigned worker) {
  std::uint32_t seen = 0;
  while (true) {
    const auto sleep_at = std::chrono::steady_clock::now() + kLookout;
    while (generation_.load(std::memory_order_acquire) == seen) {
      for (unsigned i = 0; i < 100 && generation_.load(std::memory_order_relaxed) == seen; ++i) {
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
      }
      if (std::chrono::steady_clock::now() > sleep_at) generation_.wait(seen);
    }
    seen = generation_.load(std::memory_order_acquire);
    if (stopping_.load()) return;
    (*body_)(worker);
    running_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace rotor
