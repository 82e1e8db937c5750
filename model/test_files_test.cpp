#include "model/test_files.h"

#include <cstdlib>
#include <filesystem>

namespace rotor::test {
namespace {

// The interpreter of the system's packages, where numpy is.
std::string python() {
  const char* chosen = std::getenv("ROTOR_PYTHON");
  return chosen == nullptr ? "/usr/bin/python3" : chosen;
}

}  // namespace

const std::string kDemo = std::string(ROTOR_SOURCE_DIR) + "/model/demo";

TempFolder::TempFolder() {
  path_ = (std::filesystem::temp_directory_path() / "rotor_test_XXXXXX").string();
  if (::mkdtemp(path_.data()) == nullptr) path_.clear();
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

bool has_numpy() {
  return std::system((python() + " -c 'import numpy' 2>/dev/null").c_str()) == 0;
}

int run_script(const std::string& script, const std::string& arguments) {
  const std::string path = std::string(ROTOR_SOURCE_DIR) + "/scripts/" + script;
  return std::system((python() + " " + path + " " + arguments).c_str());
}

int model_files(const std::string& arguments) {
  return run_script("model_files.py", arguments);
}

std::vector<float> table_values(const Table& table) {
  std::vector<float> values(std::size_t{table.rows} * table.columns);
  const std::size_t stride = row_bytes(table.packing, table.columns);
  for (std::size_t r = 0; r < table.rows; ++r) {
    decode_row(table.packing, table.bytes.subspan(r * stride, stride),
               std::span(values).subspan(r * table.columns, table.columns));
  }
  return values;
}

}  // namespace rotor::test
