// Tables that are larger than what a device can bind are processed in slices: nobody can tell.

#include <gtest/gtest.h>

#include "model/transformer.h"
#include "runtime/devices.h"

namespace rotor {
namespace {

// The CPU, claiming that a kernel sees at most so many bytes of a buffer; and holding others to it.
class NarrowDevice final : public Device {
 public:
  explicit NarrowDevice(std::size_t max_view_bytes) : info_(cpu_->info()) {
    info_.max_view_bytes = max_view_bytes;
  }
  std::size_t slices = 0;  // views of a table in the last pass

  const DeviceInfo& info() const override { return info_; }
  std::unique_ptr<Buffer> allocate(std::size_t bytes) override { return cpu_->allocate(bytes); }
  void write(View to, std::span<const std::byte> data) override { cpu_->write(to, data); }
  void read(View from, std::span<std::byte> data) override { cpu_->read(from, data); }
  std::unique_ptr<Kernel> prepare(const KernelVariant& v) override { return cpu_->prepare(v); }
  void dispatch(const Kernel& kernel, std::span<const View> views,
                std::span<const std::byte> params) override {
    const Op op = kernel.variant().op;
    if (op == Op::Head || op == Op::Embed) {
      const View& table = views[op == Op::Head ? 1 : 0];
      EXPECT_LE(table.bytes, info_.max_view_bytes);
      ++slices;
    }
    cpu_->dispatch(kernel, views, params);
  }
  Timing finish() override { return cpu_->finish(); }
  std::unique_ptr<Sequence> record(const std::function<void()>& body) override {
    return cpu_->record(body);
  }
  Timing replay(Sequence& sequence) override { return cpu_->replay(sequence); }

 private:
  std::unique_ptr<Device> cpu_ = open_cpu({.threads = 2});
  DeviceInfo info_;
};

// Logits of a prompt and of a token behind it.
std::vector<float> logits_on(NarrowDevice& device, const Checkpoint& model) {
  KernelSet kernels(device);
  Transformer transformer(kernels, model, {});
  KvCache cache(device, model.config(), Packing::F32, 8);
  constexpr std::uint32_t kPrompt[] = {0, 500, 1002, 127, 128};
  device.slices = 0;
  std::vector<float> all;
  for (const auto tokens : {std::span(kPrompt).first(4), std::span(kPrompt).last(1)}) {
    const std::span<const float> logits = transformer.forward(tokens, cache);
    all.insert(all.end(), logits.begin(), logits.end());
  }
  return all;
}

TEST(SlicedTable, GivesTheSameBitsAsAWholeOne) {
  const auto model = open_checkpoint("synthetic:odd/1");
  const Table& table = model->embedding();
  NarrowDevice wide(table.bytes.size());
  const std::vector<float> want = logits_on(wide, *model);
  EXPECT_EQ(wide.slices, 4u);  // of embedding and head, in two passes
  // Rows in multiples of 128, so that each part of the logits is aligned.
  const std::size_t row = row_bytes(table.packing, table.columns);
  for (const std::size_t rows : {128u, 300u}) {
    NarrowDevice narrow(rows * row);
    EXPECT_EQ(logits_on(narrow, *model), want) << rows;
    const std::size_t step = rows / 128 * 128;
    EXPECT_EQ(narrow.slices, 4 * ((table.rows + step - 1) / step)) << rows;
  }
}

}  // namespace
}  // namespace rotor
