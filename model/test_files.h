// Checkpoint files for tests, made by scripts/model_files.py: an independent reader and writer.
#pragma once

#include <string>
#include <vector>

#include "model/weights.h"

namespace rotor::test {

// The folder of the demo model.
extern const std::string kDemo;

// A folder that is removed with everything in it.
class TempFolder {
 public:
  TempFolder();
  ~TempFolder();
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// True if scripts that use numpy can run: with ROTOR_PYTHON, else the system's python3.
bool has_numpy();

// Runs a script of scripts/ with these arguments; its exit status is 0 on success.
int run_script(const std::string& script, const std::string& arguments);
int model_files(const std::string& arguments);

// All elements of a table.
std::vector<float> table_values(const Table& table);

}  // namespace rotor::test
