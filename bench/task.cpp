#include "bench/task.h"

#include <cstdio>
#include <sstream>

#include "core/error.h"

namespace rotor {

std::string to_line(const Task& task) {
  char numbers[120];
  std::snprintf(numbers, sizeof numbers, "%d %.17g %.17g %.17g ", static_cast<int>(task.kind),
                task.seconds, task.longest_s, task.now_s);
  return numbers + task.what;
}

Task parse_task(const std::string& line) {
  std::istringstream in(line);
  Task task;
  int kind = -1;
  in >> kind >> task.seconds >> task.longest_s >> task.now_s;
  in.get();
  std::getline(in, task.what);
  if (kind < 0 || kind > static_cast<int>(TaskKind::EndCase) || task.what.empty()) {
    throw FormatError("not a task of rotor-bench: " + line);
  }
  task.kind = static_cast<TaskKind>(kind);
  return task;
}

}  // namespace rotor
