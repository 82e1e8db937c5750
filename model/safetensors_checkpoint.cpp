// Hugging Face folders: config.json and one safetensors file, or several with an index.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "core/error.h"
#include "model/checkpoints.h"
#include "model/config.h"
#include "model/json.h"
#include "model/mapped_file.h"
#include "model/safetensors.h"
#include "model/safetensors_index.h"
#include "model/tensor_names.h"
#include "model/ternarise.h"
#include "model/ternary_codecs.h"

namespace rotor {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxConfigBytes = 1u << 20;
constexpr std::size_t kMaxIndexBytes = 1u << 24;

// The table format of a dtype of floats.
std::optional<Packing> float_format(std::string_view dtype) {
  if (dtype == "BF16") return Packing::Bf16;
  if (dtype == "F16") return Packing::F16;
  if (dtype == "F32") return Packing::F32;
  return std::nullopt;
}

struct Located {
  const std::string* file;
  StoredTensor tensor;

  std::string where() const { return *file + ": tensor " + quote(tensor.name); }
};

// A shard must lie in the folder itself, or where the Hugging Face cache keeps the files that its
// folders link to. An index from elsewhere cannot make us open anything else.
void check_shard_place(const fs::path& folder, const fs::path& shard) {
  std::error_code error;
  const fs::path home = fs::canonical(shard, error).parent_path();
  if (error) return;  // opening it says what is wrong
  if (home == fs::canonical(folder, error)) return;
  if (home == fs::weakly_canonical(folder / "../../blobs", error)) return;
  throw FormatError(shard.string() + ": a link that leaves the folder of the checkpoint");
}

// The tensors' files as the index has them; no map where a single file holds everything.
struct Source {
  std::map<std::string, std::string> shards;  // tensor -> path
  std::vector<MappedFile> files;
};

Source open_files(const fs::path& folder) {
  Source source;
  const fs::path single = folder / "model.safetensors";
  const fs::path index = folder / "model.safetensors.index.json";
  if (path_exists(single.string()) || !path_exists(index.string())) {
    source.files.emplace_back(single.string());
    return source;
  }
  std::set<std::string> paths;
  for (auto& [tensor, file] :
       parse_index(read_text_file(index.string(), kMaxIndexBytes), index.string())) {
    const fs::path path = folder / file;
    source.shards.emplace(tensor, path.string());
    if (paths.insert(path.string()).second) check_shard_place(folder, path);
  }
  for (const std::string& path : paths) source.files.emplace_back(path);
  return source;
}

class SafetensorsCheckpoint : public Checkpoint {
 public:
  SafetensorsCheckpoint(HfConfig config, Source source)
      : config_(std::move(config.config)),
        quantisation_(config.quantisation),
        files_(std::make_shared<const std::vector<MappedFile>>(std::move(source.files))) {
    for (const MappedFile& file : *files_) {
      for (StoredTensor& tensor : parse_safetensors(file.bytes(), file.path())) {
        const std::string name = tensor.name;
        const auto [it, fresh] = tensors_.emplace(name, Located{&file.path(), std::move(tensor)});
        if (!fresh) {
          throw FormatError(file.path() + ": tensor " + quote(name) + " is also in " +
                            *it->second.file);
        }
      }
    }
    for (const auto& [name, path] : source.shards) {
      if (*find(name).file != path) {
        throw FormatError(path + ": tensor " + quote(name) + " is missing here; it is in " +
                          *find(name).file);
      }
    }
    check_tensors();
  }

  const Config& config() const override { return config_; }

  std::string description() const override {
    return std::string("safetensors, ") +
           (quantisation_.packed ? "packed (offline)" : "master weights (online)");
  }

  std::vector<TensorSummary> tensors() const override {
    std::vector<TensorSummary> result;
    for (const auto& [name, found] : tensors_) {
      result.push_back({name, std::string(found.tensor.dtype), found.tensor.bytes.size()});
    }
    return result;
  }

  TernaryMatrix projection(std::uint32_t layer, Projection which) const override {
    return projection_in({}, layer, which);
  }

  TernaryMatrix projection_in(std::vector<std::int8_t> memory, std::uint32_t layer,
                              Projection which) const override {
    const std::string name = hf_name(layer, which);
    const Located& found = find(name);
    const auto [n, k] = projection_shape(config_, which);
    if (!quantisation_.packed) {
      auto [trits, scale] = ternarise(*float_format(found.tensor.dtype), found.tensor.bytes, n, k);
      forget(found.tensor);
      check_scale(config_, layer, which, scale, found.where());
      return {n, k, std::move(trits), scale};
    }
    auto stored = decode_ternary(TernaryFormat::Strided, found.tensor.bytes, n, k, found.where(),
                                 std::move(memory));
    forget(found.tensor);
    return {n, k, std::move(stored.trits), packed_scale(layer, which)};
  }

  std::vector<float> norm(std::uint32_t layer, Norm which) const override {
    return gains(hf_name(layer, which));
  }
  std::vector<float> final_norm() const override { return gains(kHfFinalNorm); }
  Table embedding() const override { return table(kHfEmbedding); }
  Table head() const override { return table(config_.tied_head ? kHfEmbedding : kHfHead); }

 private:
  const Located& find(const std::string& name) const {
    const auto it = tensors_.find(name);
    if (it == tensors_.end()) {
      throw FormatError(
          files_->front().path() + ": tensor " + quote(name) + " is missing" +
          (name == kHfHead ? " and config.json does not tie it to the embedding" : ""));
    }
    return it->second;
  }

  // A decoded matrix is rarely read again.
  void forget(const StoredTensor& tensor) const {
    for (const MappedFile& file : *files_) file.forget(tensor.bytes);
  }

  std::vector<float> floats(const Located& found) const {
    const Packing format = *float_format(found.tensor.dtype);
    std::vector<float> values(found.tensor.bytes.size() / row_bytes(format, 1));
    decode_row(format, found.tensor.bytes, values);
    return values;
  }

  float packed_scale(std::uint32_t layer, Projection which) const {
    const Located& found = find(hf_name(layer, which) + "_scale");
    const float stored = floats(found).front();
    const float scale = quantisation_.reciprocal ? 1 / stored : stored;
    check_scale(config_, layer, which, scale, found.where());
    return scale;
  }

  std::vector<float> gains(const std::string& name) const {
    const Located& found = find(name);
    std::vector<float> values = floats(found);
    if (!std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); })) {
      throw FormatError(found.where() + ": a gain is not finite");
    }
    return values;
  }

  Table table(const char* name) const {
    const StoredTensor& tensor = find(name).tensor;
    return {*float_format(tensor.dtype), config_.vocab, config_.hidden, tensor.bytes, files_};
  }

  // Everything of the graph is there with the right type and shape, and nothing else is.
  void check_tensors() {
    std::set<std::string> expected;
    const auto expect = [&](const std::string& name, std::vector<std::uint64_t> shape, bool codes) {
      check_tensor(find(name), shape, codes);
      expected.insert(name);
    };
    expect(kHfEmbedding, {config_.vocab, config_.hidden}, false);
    expect(kHfFinalNorm, {config_.hidden}, false);
    if (!config_.tied_head) expect(kHfHead, {config_.vocab, config_.hidden}, false);
    expected.insert(kHfHead);  // beside a tied head it is a copy of the embedding
    for (std::uint32_t layer = 0; layer < config_.layers; ++layer) {
      for (const Norm which : kNorms) {
        expect(hf_name(layer, which), {norm_size(config_, which)}, false);
      }
      for (const Projection which : kProjections) {
        const auto [n, k] = projection_shape(config_, which);
        const std::string name = hf_name(layer, which);
        expect(name, {quantisation_.packed ? (n + 3) / 4 : n, k}, quantisation_.packed);
        if (!quantisation_.packed) continue;
        expect(name + "_scale", {1}, false);
        packed_scale(layer, which);
      }
    }
    for (const auto& [name, found] : tensors_) {
      // Tables of angles that old files carry; we make our own.
      if (expected.contains(name) || name.ends_with(".rotary_emb.inv_freq")) continue;
      throw FormatError(found.where() + " is not part of a BitNet b1.58 model of " +
                        std::to_string(config_.layers) + " layers");
    }
  }

  static void check_tensor(const Located& found, const std::vector<std::uint64_t>& shape,
                           bool codes) {
    const StoredTensor& tensor = found.tensor;
    const bool scalar = tensor.shape.empty() && shape == std::vector<std::uint64_t>{1};
    if (tensor.shape != shape && !scalar) {
      throw FormatError(found.where() + " has shape " + shape_text(tensor.shape) + ", expected " +
                        shape_text(shape));
    }
    if (codes ? tensor.dtype != "U8" : !float_format(tensor.dtype)) {
      throw FormatError(found.where() + " has dtype " + std::string(tensor.dtype) + ", expected " +
                        (codes ? "U8 (packed codes)" : "BF16, F16 or F32"));
    }
  }

  Config config_;
  Quantisation quantisation_;
  std::shared_ptr<const std::vector<MappedFile>> files_;
  std::map<std::string, Located, std::less<>> tensors_;
};

}  // namespace

std::unique_ptr<Checkpoint> open_safetensors(const std::string& folder) {
  const fs::path root(folder);
  const std::string path = (root / "config.json").string();
  const std::string config = read_text_file(path, kMaxConfigBytes);
  const fs::path generation = root / "generation_config.json";
  const std::string defaults =
      path_exists(generation.string()) ? read_text_file(generation.string(), kMaxConfigBytes) : "";
  return std::make_unique<SafetensorsCheckpoint>(parse_config(config, defaults, path),
                                                 open_files(root));
}

}  // namespace rotor
