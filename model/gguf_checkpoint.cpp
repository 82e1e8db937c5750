// GGUF files of BitNet b1.58 models.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "core/error.h"
#include "core/half.h"
#include "model/checkpoints.h"
#include "model/gguf.h"
#include "model/gguf_keys.h"
#include "model/json.h"
#include "model/mapped_file.h"
#include "model/parallel.h"
#include "model/safetensors.h"
#include "model/table_codecs.h"
#include "model/tensor_names.h"
#include "model/ternary_codecs.h"

namespace rotor {
namespace {

std::optional<TernaryFormat> ternary_format(GgufType type) {
  switch (type) {
    case GgufType::I2_S:
      return TernaryFormat::I2S;
    case GgufType::TQ1_0:
      return TernaryFormat::Tq1;
    case GgufType::TQ2_0:
      return TernaryFormat::Tq2;
    default:
      return std::nullopt;
  }
}

std::optional<TableFormat> table_format(GgufType type) {
  switch (type) {
    case GgufType::F32:
      return TableFormat::F32;
    case GgufType::F16:
      return TableFormat::F16;
    case GgufType::BF16:
      return TableFormat::Bf16;
    case GgufType::Q8_0:
      return TableFormat::Q8_0;
    case GgufType::Q4_0:
      return TableFormat::Q4_0;
    case GgufType::Q6_K:
      return TableFormat::Q6_K;
    default:
      return std::nullopt;
  }
}

// A table as the runtime can use it: in place, or decoded to f16 when it is first asked for. The
// rounding to f16 is at most 2^-11 of a value, well below the steps of the block formats.
class TableSource {
 public:
  // The file is what the tensor lies in.
  Table get(const std::shared_ptr<const MappedFile>& file, const GgufTensor& tensor,
            std::uint32_t rows, std::uint32_t columns) const {
    const TableFormat format = *table_format(tensor.type);
    if (is_float(format)) return {table_packing(format), rows, columns, tensor.bytes, file};
    std::call_once(decoded_once_, [&] { decode(format, tensor.bytes, rows, columns); });
    const std::span halves(decoded_.get(), std::size_t{rows} * columns);
    return {Packing::F16, rows, columns, std::as_bytes(halves), decoded_};
  }

 private:
  void decode(TableFormat format, std::span<const std::byte> bytes, std::uint32_t rows,
              std::uint32_t columns) const {
    decoded_ = std::make_shared_for_overwrite<std::uint16_t[]>(std::size_t{rows} * columns);
    const std::size_t stride = table_row_bytes(format, columns);
    in_slices(rows, [&](std::size_t begin, std::size_t end) {
      std::vector<float> row(columns);
      for (std::size_t r = begin; r < end; ++r) {
        decode_table_row(format, bytes.subspan(r * stride, stride), row);
        std::transform(row.begin(), row.end(), decoded_.get() + r * columns, f32_to_f16);
      }
    });
  }

  mutable std::once_flag decoded_once_;
  mutable std::shared_ptr<std::uint16_t[]> decoded_;  // [rows, columns] f16
};

class GgufCheckpoint : public Checkpoint {
 public:
  explicit GgufCheckpoint(const std::string& path)
      : file_(std::make_shared<const MappedFile>(path)),
        gguf_(parse_gguf(file_->bytes(), path)),
        config_(read_gguf_config(gguf_, path)) {
    for (const GgufTensor& tensor : gguf_.tensors) tensors_.emplace(tensor.name, &tensor);
    const auto head = tensors_.find(kGgufHead);
    config_.tied_head = head == tensors_.end() || is_copy_of_embedding(*head->second);
    check_tensors();
  }

  const Config& config() const override { return config_; }

  std::string description() const override {
    return "GGUF " + std::to_string(gguf_.version) + ", " +
           std::string(gguf_type_name(find(gguf_name(0, Projection::Q)).type)) + " projections, " +
           std::string(gguf_type_name(find(kGgufEmbedding).type)) + " embedding";
  }

  std::vector<TensorSummary> tensors() const override {
    std::vector<TensorSummary> result;
    for (const GgufTensor& tensor : gguf_.tensors) {
      result.push_back({std::string(tensor.name), std::string(gguf_type_name(tensor.type)),
                        tensor.bytes.size()});
    }
    return result;
  }

  TernaryMatrix projection(std::uint32_t layer, Projection which) const override {
    return projection_in({}, layer, which);
  }

  TernaryMatrix projection_in(std::vector<std::int8_t> memory, std::uint32_t layer,
                              Projection which) const override {
    const GgufTensor& tensor = find(gguf_name(layer, which));
    const auto [n, k] = projection_shape(config_, which);
    StoredTernary stored = decode_ternary(*ternary_format(tensor.type), tensor.bytes, n, k,
                                          where(tensor), std::move(memory));
    file_->forget(tensor.bytes);  // a decoded matrix is rarely read again
    const float scale = stored.scale * extra_scale(layer, which);
    check_scale(config_, layer, which, scale, where(tensor));
    return {n, k, std::move(stored.trits), scale};
  }

  std::vector<float> norm(std::uint32_t layer, Norm which) const override {
    return gains(gguf_name(layer, which));
  }
  std::vector<float> final_norm() const override { return gains(kGgufFinalNorm); }
  Table embedding() const override {
    return embedding_.get(file_, find(kGgufEmbedding), config_.vocab, config_.hidden);
  }
  Table head() const override {
    if (config_.tied_head) return embedding();
    return head_.get(file_, find(kGgufHead), config_.vocab, config_.hidden);
  }

 private:
  std::string where(const GgufTensor& tensor) const {
    return file_->path() + ": tensor " + quote(tensor.name);
  }

  const GgufTensor& find(const std::string& name) const {
    const auto it = tensors_.find(name);
    if (it == tensors_.end()) {
      throw FormatError(file_->path() + ": tensor " + quote(name) + " is missing");
    }
    return *it->second;
  }

  // An early upload of 2B4T repeats the embedding as its head.
  bool is_copy_of_embedding(const GgufTensor& head) const {
    const GgufTensor& embedding = find(kGgufEmbedding);
    return head.type == embedding.type && std::ranges::equal(head.bytes, embedding.bytes);
  }

  std::vector<float> floats(const GgufTensor& tensor) const {
    std::vector<float> values(static_cast<std::size_t>(tensor.shape.back()));
    decode_table_row(*table_format(tensor.type), tensor.bytes, values);
    return values;
  }

  std::vector<float> gains(const std::string& name) const {
    const GgufTensor& tensor = find(name);
    std::vector<float> values = floats(tensor);
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
      throw FormatError(where(tensor) + ": a gain is not finite");
    }
    return values;
  }

  // Upstream files may hold a multiplier beside the matrix: "blk.N.attn_q.scale".
  static std::string scale_name(std::uint32_t layer, Projection which) {
    const std::string name = gguf_name(layer, which);
    return name.substr(0, name.rfind('.')) + ".scale";
  }
  float extra_scale(std::uint32_t layer, Projection which) const {
    const auto it = tensors_.find(scale_name(layer, which));
    return it == tensors_.end() ? 1 : floats(*it->second).front();
  }

  // Everything of the graph is there with the right type and shape, and nothing else is.
  void check_tensors() const {
    std::set<std::string, std::less<>> expected{kGgufHead};
    const std::vector<std::uint64_t> table = {config_.vocab, config_.hidden};
    check_table(find(kGgufEmbedding), table);
    if (!config_.tied_head) check_table(find(kGgufHead), table);
    check_vector(find(kGgufFinalNorm), config_.hidden);
    expected.insert({kGgufEmbedding, kGgufFinalNorm});
    for (std::uint32_t layer = 0; layer < config_.layers; ++layer) {
      for (const Norm which : kNorms) {
        const std::string name = gguf_name(layer, which);
        check_vector(find(name), norm_size(config_, which));
        expected.insert(name);
      }
      for (const Projection which : kProjections) {
        const std::string name = gguf_name(layer, which);
        check_projection(find(name), projection_shape(config_, which));
        const std::string scale = scale_name(layer, which);
        if (tensors_.contains(scale)) check_vector(find(scale), 1);
        expected.insert({name, scale});
      }
    }
    for (const GgufTensor& tensor : gguf_.tensors) {
      if (expected.contains(tensor.name)) continue;
      throw FormatError(where(tensor) + " is not part of a BitNet b1.58 model of " +
                        std::to_string(config_.layers) + " layers");
    }
  }

  void check_shape(const GgufTensor& tensor, const std::vector<std::uint64_t>& shape) const {
    if (tensor.shape == shape) return;
    throw FormatError(where(tensor) + " has shape " + shape_text(tensor.shape) + ", expected " +
                      shape_text(shape));
  }
  [[noreturn]] void refuse_type(const GgufTensor& tensor, const char* expected) const {
    throw FormatError(where(tensor) + " has type " + std::string(gguf_type_name(tensor.type)) +
                      ", expected " + expected);
  }
  void check_table(const GgufTensor& tensor, const std::vector<std::uint64_t>& shape) const {
    check_shape(tensor, shape);
    if (!table_format(tensor.type)) refuse_type(tensor, "F32, F16, BF16, Q8_0, Q4_0 or Q6_K");
  }
  void check_vector(const GgufTensor& tensor, std::uint32_t size) const {
    check_shape(tensor, {size});
    const auto format = table_format(tensor.type);
    if (!format || !is_float(*format)) refuse_type(tensor, "F32, F16 or BF16");
  }
  void check_projection(const GgufTensor& tensor, Shape shape) const {
    check_shape(tensor, {shape.n, shape.k});
    if (!ternary_format(tensor.type)) refuse_type(tensor, "I2_S, TQ1_0 or TQ2_0");
  }

  std::shared_ptr<const MappedFile> file_;
  GgufFile gguf_;
  Config config_;
  std::map<std::string, const GgufTensor*, std::less<>> tensors_;
  TableSource embedding_;
  TableSource head_;
};

}  // namespace

std::unique_ptr<Checkpoint> open_gguf(const std::string& path) {
  return std::make_unique<GgufCheckpoint>(path);
}

}  // namespace rotor
