// A file that appears under its name only when it is complete.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>

namespace rotor {

// Writes to "PATH.part" and renames it at the end; without finish() nothing stays behind. Every
// function throws OutputError that names the path.
class OutputFile {
 public:
  explicit OutputFile(const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  // Zeros up to the next multiple of `alignment`.
  void pad(std::uint64_t alignment);
  std::uint64_t size() const { return size_; }

  // Flushes, closes and gives the file its name.
  void finish();

 private:
  [[noreturn]] void fail(const char* what) const;

  std::string path_;
  std::string part_;
  std::FILE* file_ = nullptr;
  std::uint64_t size_ = 0;
};

// A small file in one step. What exists and is neither file nor folder (a pipe, /dev/stdout) is written
// to as it is.
void write_text_file(const std::string& path, std::string_view text);

}  // namespace rotor
