// Work on all cores while loading and converting.
#pragma once

#include <cstddef>
#include <functional>

namespace rotor {

// Calls job(begin, end) on slices that cover [0, count), each on its own thread, and waits. The job
// must not throw.
void in_slices(std::size_t count, const std::function<void(std::size_t, std::size_t)>& job);

// Calls job(0) ... job(count - 1), in this order but several at a time, and waits. After an
// exception no further job begins; the first one is thrown again.
void in_parallel(std::size_t count, const std::function<void(std::size_t)>& job);

}  // namespace rotor
