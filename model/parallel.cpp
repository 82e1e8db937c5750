#include "model/parallel.h"

#include <algorithm>
#include <thread>
#include <vector>

namespace rotor {

void in_slices(std::size_t count, const std::function<void(std::size_t, std::size_t)>& job) {
  const std::size_t threads = std::clamp(std::thread::hardware_concurrency(), 1u, 16u);
  std::vector<std::jthread> others;
  for (std::size_t t = 1; t < threads; ++t) {
    others.emplace_back(job, count * t / threads, count * (t + 1) / threads);
  }
  job(0, count / threads);
}

}  // namespace rotor
