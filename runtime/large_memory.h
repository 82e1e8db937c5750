// Host memory for what is read from end to end again and again.
#pragma once

#include <cstddef>
#include <memory>

namespace rotor {

// So much memory, aligned to a page, in pages of 2 MB where the system has them and it is worth one: the
// processor knows the addresses of few pages, and waits at the beginning of others. A token of 2B4T
// takes 11 to 13 % less time with them (Zen 4); a virtual machine that has lent its free memory to its
// host takes up to a second longer to load. Contents are undefined. Null when memory is short.
std::shared_ptr<std::byte> large_memory(std::size_t bytes);

// Cuts buffers from areas of such memory, so that small ones share large pages. An area lives as long as
// one of its buffers. Not for several threads.
class LargeMemory {
 public:
  // As large_memory().
  std::shared_ptr<std::byte> take(std::size_t bytes);

 private:
  std::shared_ptr<std::byte> area_;
  std::size_t size_ = 0;
  std::size_t used_ = 0;
};

}  // namespace rotor
