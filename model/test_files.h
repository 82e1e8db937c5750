// Checkpoint files for tests, made by scripts/model_files.py: an independent reader and writer.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "model/weights.h"

namespace rotor::test {

inline const std::string kDemo = std::string(ROTOR_SOURCE_DIR) + "/model/demo";

// A folder that is removed with everything in it.
class TempFolder {
 public:
  TempFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "rotor_test_XXXXXX").string();
    if (::mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~TempFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The interpreter of the system's packages, where numpy is.
inline std::string python() {
  const char* chosen = std::getenv("ROTOR_PYTHON");
  return chosen == nullptr ? "/usr/bin/python3" : chosen;
}

inline bool has_numpy() {
  return std::system((python() + " -c 'import numpy' 2>/dev/null").c_str()) == 0;
}

// Runs a script of scripts/ with these arguments; its exit status is 0 on success.
inline int run_script(const std::string& script, const std::string& arguments) {
  return std::system(
      (python() + " " + ROTOR_SOURCE_DIR + "/scripts/" + script + " " + arguments).c_str());
}
inline int model_files(const std::string& arguments) {
  return run_script("model_files.py", arguments);
}

// All elements of a table.
inline std::vector<float> table_values(const Table& table) {
  std::vector<float> values(std::size_t{table.rows} * table.columns);
  const std::size_t stride = row_bytes(table.packing, table.columns);
  for (std::size_t r = 0; r < table.rows; ++r) {
    decode_row(table.packing, table.bytes.subspan(r * stride, stride),
               std::span(values).subspan(r * table.columns, table.columns));
  }
  return values;
}

}  // namespace rotor::test
