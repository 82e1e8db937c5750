#include "model/output_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "core/error.h"

namespace rotor {

OutputFile::OutputFile(const std::string& path) : path_(path), part_(path + ".part") {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw OutputError(path + ": exists and is not a regular file; choose another name");
  }
  file_ = std::fopen(part_.c_str(), "wb");
  if (file_ == nullptr) fail("cannot create");
}

OutputFile::~OutputFile() {
  if (file_ == nullptr) return;
  std::fclose(file_);
  std::remove(part_.c_str());
}

void OutputFile::fail(const char* what) const {
  throw OutputError(path_ + ": " + what + ": " + std::strerror(errno));
}

void OutputFile::write(std::span<const std::byte> bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) fail("cannot write");
  size_ += bytes.size();
}

void OutputFile::pad(std::uint64_t alignment) {
  const std::uint64_t rest = size_ % alignment;
  if (rest != 0) write(std::vector<std::byte>(static_cast<std::size_t>(alignment - rest)));
}

void OutputFile::finish() {
  // A full disk may show only when the buffers are written.
  if (std::fclose(std::exchange(file_, nullptr)) != 0 ||
      std::rename(part_.c_str(), path_.c_str()) != 0) {
    const int reason = errno;
    std::remove(part_.c_str());
    errno = reason;
    fail("cannot write");
  }
}

void write_text_file(const std::string& path, std::string_view text) {
  std::error_code error;
  if (std::filesystem::is_other(path, error)) {
    std::ofstream stream(path, std::ios::binary);
    stream << text;
    stream.close();
    if (!stream) throw OutputError(path + ": cannot be written");
    return;
  }
  OutputFile file(path);
  file.write(text);
  file.finish();
}

}  // namespace rotor
