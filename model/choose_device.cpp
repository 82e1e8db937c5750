#include "model/choose_device.h"

#include <algorithm>

#include "core/error.h"
#include "model/self_check.h"

namespace rotor {
namespace {

std::string title(const DeviceInfo& info) {
  return info.id + " (" + info.name + ")";
}

// Opens and checks; adds to `why_not` if it fails.
std::unique_ptr<Device> open_checked(const DeviceInfo& info, const DeviceOptions& options,
                                     std::vector<std::string>& why_not) {
  try {
    std::unique_ptr<Device> device = open_device(info.id, options);
    KernelSet kernels(*device);
    const std::string wrong = self_check(kernels);
    if (wrong.empty()) return device;
    why_not.push_back(title(info) + " failed the self-check: " + wrong);
  } catch (const UnsupportedError& error) {
    why_not.push_back(title(info) + ": " + error.what());
  } catch (const DeviceError& error) {
    why_not.push_back(title(info) + ": " + error.what());
  }
  return nullptr;
}

// Why there is no GPU to try.
std::vector<std::string> why_none(const DeviceList& list) {
  std::vector<std::string> reasons = {"no GPU here"};
  for (const DeviceInfo& info : list.devices) {
    if (info.kind == "software") reasons.push_back(title(info) + " is software");
  }
  for (const AbsentBackend& absent : list.absent) {
    reasons.push_back(std::string(backend_name(absent.backend)) + ": " + absent.reason);
  }
  return reasons;
}

// "cpu:0 (Ryzen 7): no GPU here; ..."
std::string sentence(const DeviceInfo& info, const std::vector<std::string>& reasons) {
  std::string text = title(info) + ": ";
  for (std::size_t i = 0; i < reasons.size(); ++i) text += (i == 0 ? "" : "; ") + reasons[i];
  return text;
}

}  // namespace

std::vector<DeviceInfo> real_gpus(const DeviceList& list) {
  std::vector<DeviceInfo> gpus;
  std::copy_if(
      list.devices.begin(), list.devices.end(), std::back_inserter(gpus),
      [](const DeviceInfo& info) { return info.kind == "discrete" || info.kind == "integrated"; });
  const auto rank = [](const DeviceInfo& info) {
    return (info.kind == "discrete" ? 0 : 2) + (info.backend == Backend::Vulkan ? 0 : 1);
  };
  std::stable_sort(gpus.begin(), gpus.end(),
                   [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  return gpus;
}

DeviceChoice choose_device(const DeviceOptions& options) {
  const DeviceList list = list_devices(options);
  std::vector<std::string> failures;
  for (const DeviceInfo& info : real_gpus(list)) {
    std::unique_ptr<Device> device = open_checked(info, options, failures);
    if (device == nullptr) continue;
    failures.insert(failures.begin(), "the best GPU that passes the self-check");
    return {std::move(device), sentence(info, failures)};
  }
  if (failures.empty()) failures = why_none(list);
  return {open_cpu(options), sentence(list.devices.front(), failures)};
}

}  // namespace rotor
