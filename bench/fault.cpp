#include "bench/fault.h"

#include <csignal>
#include <cstdlib>
#include <regex>
#include <sstream>

#include <unistd.h>

#include "core/error.h"

namespace rotor {

void inject_fault(const std::string& name, const std::string& phase) {
  const char* wanted = std::getenv("ROTOR_FAULT");
  if (wanted == nullptr) return;
  std::istringstream in(wanted);
  std::string kind;
  std::string at;
  std::string pattern;
  if (!(in >> kind >> at >> pattern)) {
    throw UsageError(std::string("ROTOR_FAULT='") + wanted + "': write KIND PHASE PATTERN");
  }
  if (phase != at || !std::regex_search(name, std::regex(pattern))) return;
  if (kind == "segv") {
    std::signal(SIGSEGV, SIG_DFL);  // PoCL has a handler that survives what is only raised
    std::raise(SIGSEGV);
  }
  if (kind == "kill") std::raise(SIGKILL);
  if (kind == "exit") ::_exit(3);
  if (kind == "lost")
    throw DeviceError("vkQueueSubmit failed: VK_ERROR_DEVICE_LOST", DeviceFault::Lost);
  while (kind == "hang") ::pause();
  throw UsageError("ROTOR_FAULT: no kind '" + kind + "'");
}

}  // namespace rotor
