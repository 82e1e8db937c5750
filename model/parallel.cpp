#include "model/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace rotor {

void in_slices(std::size_t count, const std::function<void(std::size_t, std::size_t)>& job) {
  const std::size_t threads = std::clamp(std::thread::hardware_concurrency(), 1u, 16u);
  std::vector<std::jthread> others;
  others.reserve(threads);
  std::size_t t = 1;
  try {
    for (; t < threads; ++t) {
      others.emplace_back(job, count * t / threads, count * (t + 1) / threads);
    }
  } catch (const std::system_error&) {  // no more threads: the rest is done here
    job(count * t / threads, count);
  }
  job(0, count / threads);
}

void in_parallel(std::size_t count, const std::function<void(std::size_t)>& job) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    try {
      for (std::size_t i = next++; i < count; i = next++) job(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (failure == nullptr) failure = std::current_exception();
      next = count;
    }
  };
  {
    std::vector<std::jthread> threads;
    const unsigned extra = std::max(1u, std::thread::hardware_concurrency()) - 1;
    threads.reserve(extra);
    try {
      for (unsigned i = 0; i < extra; ++i) threads.emplace_back(work);
    } catch (const std::system_error&) {  // those that there are do it all
    }
    work();
  }
  if (failure != nullptr) std::rethrow_exception(failure);
}

}  // namespace rotor
