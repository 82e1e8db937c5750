// In programs built with the address sanitizer only: GPU drivers keep memory until the process ends,
// which the leak checker reports. Drivers are unloaded before it looks, and frames of unloaded libraries
// match no suppression, so the libraries are held here and named there. Leaks of our own are reported as
// ever.
#include <dlfcn.h>

#include <initializer_list>

extern "C" const char* __lsan_default_suppressions() {
  return "leak:libLLVM\nleak:libvulkan_lvp\nleak:libvk_swiftshader\nleak:libpocl\n"
         "leak:libVkLayer_khronos_validation\n";
}

// A code that no program of ours ends with, so that tests tell what the sanitizer found from what the
// program said.
extern "C" const char* __asan_default_options() {
  return "exitcode=86";
}

namespace {

[[gnu::constructor]] void hold_drivers() {
  for (const char* library : {"libLLVM-15.so.1", "libLLVM-14.so.1", "libvulkan_lvp.so",
                              "libpocl.so.2", "libVkLayer_khronos_validation.so"}) {
    dlopen(library, RTLD_LAZY | RTLD_NODELETE);  // absent: nothing to hold
  }
}

}  // namespace
