// Runs the program as a user does: for tests of exit codes, of what is on which stream, and of what
// is left on disk.
#pragma once

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "reports/report.h"
#include "reports/schema.h"

namespace rotor {

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

// A folder that commands run in; it goes away with everything in it.
class ProgramFolder {
 public:
  // `program` is rotor-bench, `schema` the file with that of its reports.
  ProgramFolder(const std::filesystem::path& folder, std::string program, std::string schema)
      : folder_(folder), program_(std::move(program)), schema_(std::move(schema)) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~ProgramFolder() { std::filesystem::remove_all(folder_); }
  ProgramFolder(const ProgramFolder&) = delete;
  ProgramFolder& operator=(const ProgramFolder&) = delete;

 protected:
  Outcome shell(const std::string& command) {
    const std::string line =
        "cd " + folder_.string() + " && { " + command + "; } >stdout.txt 2>stderr.txt </dev/null";
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, load_file(folder_ / "stdout.txt"),
            load_file(folder_ / "stderr.txt")};
  }
  Outcome bench(const std::string& args) { return shell(program_ + " " + args); }
  std::string schema_errors(const std::string& json) {
    std::string all;
    for (const std::string& line : schema_violations(load_file(schema_), json)) all += line + '\n';
    return all;
  }

  std::filesystem::path folder_;

 private:
  std::string program_;
  std::string schema_;
};

// One kernel on a small shape of the demo model. The budget is never used up.
inline constexpr const char* kQuick =
    "--filter 'bitpacked_portable/n64_k256_b(1|5)$' --budget 10m --seed 0x5eed ";

}  // namespace rotor
