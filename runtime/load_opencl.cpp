#include "runtime/load_opencl.h"

#include <dlfcn.h>

#include <filesystem>
#include <string>
#include <vector>

#include "core/error.h"
#include "runtime/opencl_module.h"

namespace rotor {
namespace {

// Where the module may lie: beside the program, as in a build folder, or in lib/rotor, as installed.
std::vector<std::string> module_paths() {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  if (error) return {};
  return {(folder / kOpenClModuleFile).string(),
          (folder.parent_path() / "lib" / "rotor" / kOpenClModuleFile).string()};
}

struct Loaded {
  const OpenClModule* module = nullptr;
  std::string why_not;
};

// Never unloaded: devices made by the module live in it.
Loaded load() {
  const std::vector<std::string> paths = module_paths();
  for (const std::string& path : paths) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) continue;
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return {nullptr, dlerror()};  // "libOpenCL.so.1: cannot open ..."
    const void* symbol = dlsym(handle, kOpenClModuleSymbol);
    if (symbol == nullptr) return {nullptr, path + " is no module of rotor"};
    return {static_cast<const OpenClModule*>(symbol), {}};
  }
  return {nullptr, std::string(kOpenClModuleFile) + " was not found beside the program" +
                       (paths.empty() ? "" : " or at " + paths.back())};
}

}  // namespace

void list_opencl(const DeviceOptions& options, DeviceList& list) {
  const Loaded loaded = load();
  if (loaded.module == nullptr) {
    list.absent.push_back({Backend::OpenCL, loaded.why_not});
  } else {
    loaded.module->list(options, list);
  }
}

std::unique_ptr<Device> open_opencl(std::size_t index, const DeviceOptions& options) {
  const Loaded loaded = load();
  if (loaded.module == nullptr) throw UnsupportedError("no_opencl", "opencl: " + loaded.why_not);
  return loaded.module->open(index, options);
}

}  // namespace rotor
