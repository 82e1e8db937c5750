// The tuning record: whatever comes in, a record that can be written and read again, or a FormatError;
// and nothing of it that the program would run unless its registry declares it.
#include "runtime/tuning.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "core/error.h"
#include "kernels/host_features.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace rotor;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    TuningRecord record = parse_tuning(text, "fuzz");
    const std::string written = write_tuning(record);
    if (write_tuning(parse_tuning(written, "fuzz")) != written) abort();
    DeviceInfo device;
    device.features = host_features();
    // As if every part of the record were of this device.
    for (DeviceTuning& tuning : record.devices) tuning.key = tuning_key(device);
    const Tuning tuning(device, record);
    for (const DeviceTuning& part : record.devices) {
      for (const TunedProduct& p : part.products) {
        const KernelVariant* row = tuning.find(p.n, p.k, p.m);
        if (row != nullptr && find_variant(row->name)->op != Op::Matmul) abort();
      }
    }
  } catch (const FormatError&) {
    // what bad input should lead to
  }
  return 0;
}
