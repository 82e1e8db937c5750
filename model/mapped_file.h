// A file in memory, read-only.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace rotor {

// Maps a regular file and keeps it open. A process that truncates the file meanwhile kills us with
// SIGBUS; that is the price of not copying gigabytes.
class MappedFile {
 public:
  // Throws FormatError if the file is missing, unreadable, not a regular file or empty.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }
  // Gives the memory behind a part of the file back to the system; reading it again is allowed and
  // takes it from the page cache. Bytes of other files are left alone.
  void forget(std::span<const std::byte> part) const;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
  int fd_ = -1;
  std::span<const std::byte> bytes_;
};

// Whether there is a file or folder of this name. Throws FormatError with the reason where that cannot be
// told: no permission, a name that is too long.
bool path_exists(const std::string& path);

// A small text file as a whole. Throws FormatError if it cannot be read or is longer than
// `max_bytes`.
std::string read_text_file(const std::string& path, std::size_t max_bytes);

}  // namespace rotor
