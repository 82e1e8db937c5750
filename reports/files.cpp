#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/error.h"
#include "reports/report.h"

namespace rotor {
namespace {

namespace fs = std::filesystem;

// An open file that is closed and, unless kept, removed.
class TemporaryFile {
 public:
  explicit TemporaryFile(std::string path) : path_(std::move(path)) {
    file_ = ::open(path_.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
  }
  ~TemporaryFile() {
    if (file_ < 0) return;
    ::close(file_);
    if (!kept_) ::unlink(path_.c_str());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  bool is_open() const { return file_ >= 0; }
  bool write(std::string_view text) {
    while (!text.empty()) {
      const ssize_t n = ::write(file_, text.data(), text.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    return ::fsync(file_) == 0;
  }
  bool rename_to(const std::string& target) {
    kept_ = ::rename(path_.c_str(), target.c_str()) == 0;
    return kept_;
  }

 private:
  std::string path_;
  int file_ = -1;
  bool kept_ = false;
};

// A rename is durable once the folder is. Not every file system can sync a folder; then it does so
// in its own time.
void sync_folder_of(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  const int file = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  [[maybe_unused]] const int result = ::fsync(file);
  ::close(file);
}

[[noreturn]] void fail(const std::string& path) {
  throw OutputError(path + ": cannot be written: " + std::strerror(errno));
}

}  // namespace

void save_file(const std::string& path, std::string_view text) {
  TemporaryFile file(path + ".tmp");
  if (!file.is_open() || !file.write(text) || !file.rename_to(path)) fail(path);
  sync_folder_of(path);
}

void check_writable(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    throw OutputError(path + ": cannot be written: it is a folder");
  }
  // A rename would put a plain file in the place of a device or a pipe.
  if (fs::exists(path, ignored) && !fs::is_regular_file(path, ignored)) {
    throw OutputError(path + ": cannot be written: it is not a plain file");
  }
  TemporaryFile file(path + ".tmp");
  if (!file.is_open() || !file.write("\n")) fail(path);
  // Renaming over a file needs no permission on it, but overwriting a protected one would surprise.
  if (fs::exists(path, ignored) && ::access(path.c_str(), W_OK) != 0) fail(path);
}

std::string load_file(const std::string& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) throw FormatError(path + ": is a folder, not a file");
  std::ifstream in(path, std::ios::binary);
  if (!in) throw FormatError(path + ": cannot be read: " + std::strerror(errno));
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace rotor
