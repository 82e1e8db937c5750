#include "runtime/device.h"

#include "core/error.h"

namespace rotor {

std::unique_ptr<Buffer> Device::share(std::span<const std::byte> bytes,
                                      std::shared_ptr<const void> owner) {
  (void)owner;
  auto buffer = allocate(bytes.size());
  write(*buffer, bytes);
  return buffer;
}

std::size_t assumed_cache_bytes(std::string_view kind) {
  return kind == "discrete" ? std::size_t{128} << 20 : std::size_t{32} << 20;
}

void check_bindings(const KernelVariant& variant, std::span<const View> views,
                    std::span<const std::byte> params) {
  const Contract& op = contract(variant.op);
  const auto complain = [&](const std::string& what) {
    throw UsageError(std::string(variant.name) + ": " + what);
  };
  if (params.size() != op.params_bytes) {
    complain("parameters are " + std::to_string(params.size()) + " bytes instead of " +
             std::to_string(op.params_bytes));
  }
  if (views.size() != op.buffers.size()) {
    complain(std::to_string(views.size()) + " buffers bound instead of " +
             std::to_string(op.buffers.size()));
  }
  for (std::size_t i = 0; i < views.size(); ++i) {
    const View& view = views[i];
    const std::string name(op.buffers[i].name);
    if (view.buffer == nullptr) complain("buffer '" + name + "' is not bound");
    if (view.offset % 4 != 0) complain("buffer '" + name + "' is not aligned");
    if (view.offset > view.buffer->bytes() || view.bytes > view.buffer->bytes() - view.offset) {
      complain("view of '" + name + "' leaves its buffer");
    }
    const std::size_t need = buffer_bytes(variant.op, i, params, variant.packing);
    if (view.bytes < need) {
      complain("buffer '" + name + "' has " + std::to_string(view.bytes) + " bytes, needs " +
               std::to_string(need));
    }
  }
}

}  // namespace rotor
