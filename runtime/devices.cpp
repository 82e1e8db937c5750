#include "runtime/devices.h"

#include <algorithm>
#include <cctype>

#include "core/error.h"

namespace rotor {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool matches(const DeviceInfo& info, const std::string& specification) {
  const std::string wanted = lower(specification);
  return wanted == info.id || wanted == backend_name(info.backend) ||
         lower(info.name).find(wanted) != std::string::npos;
}

}  // namespace

DeviceList list_devices(const DeviceOptions& options) {
  DeviceList list;
  list.devices.push_back(open_cpu(options)->info());
  return list;
}

std::unique_ptr<Device> open_device(const std::string& specification,
                                    const DeviceOptions& options) {
  const DeviceList list = list_devices(options);
  for (const DeviceInfo& info : list.devices) {
    if (matches(info, specification)) return open_cpu(options);
  }
  std::string have;
  for (const DeviceInfo& info : list.devices) {
    have += (have.empty() ? "" : ", ") + info.id + " (" + info.name + ")";
  }
  throw UnsupportedError("no_device", "no device '" + specification + "' here; there is " + have);
}

}  // namespace rotor
