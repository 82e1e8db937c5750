#include "runtime/tuning.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "runtime/choose.h"

namespace rotor {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kFormat = "rotor-tuning";
constexpr unsigned kVersion = 1;
constexpr std::size_t kLargestFile = std::size_t{1} << 20;
constexpr std::size_t kMostDevices = 64;
constexpr std::size_t kMostProducts = 4096;  // of a device
constexpr std::size_t kLongestText = 512;

// Takes values out of a document, or says what is wrong with it and where.
class Reader {
 public:
  explicit Reader(const std::string& name) : name_(name) {}

  [[noreturn]] void fail(const std::string& what) const { throw FormatError(name_ + ": " + what); }
  [[noreturn]] void fail(const char* key, const char* what) const {
    throw FormatError(name_ + ": \"" + key + "\" " + what);
  }

  const Json& member(const Json& object, const char* key) const {
    if (!object.is_object()) fail(key, "is missing: what should have it is no object");
    const auto found = object.find(key);
    if (found == object.end()) fail(key, "is missing");
    return *found;
  }

  const Json& list(const Json& object, const char* key, std::size_t most) const {
    const Json& value = member(object, key);
    if (!value.is_array()) fail(key, "is no list");
    if (value.size() > most) fail(key, "has too many entries");
    return value;
  }

  std::string text(const Json& object, const char* key) const {
    const Json& value = member(object, key);
    if (!value.is_string()) fail(key, "is no text");
    const auto& words = value.get_ref<const std::string&>();
    if (words.size() > kLongestText) fail(key, "is too long");
    return words;
  }

  template <typename Integer>
  Integer count(const Json& object, const char* key) const {
    const Json& value = member(object, key);
    if (!value.is_number_unsigned()) fail(key, "is no count");
    const auto number = value.get<std::uint64_t>();
    if (number > std::numeric_limits<Integer>::max()) fail(key, "is too large");
    return static_cast<Integer>(number);
  }

  double seconds(const Json& object, const char* key) const {
    const Json& value = member(object, key);
    if (!value.is_number()) fail(key, "is no number");
    const double number = value.get<double>();
    if (!std::isfinite(number) || number <= 0) fail(key, "is no time");
    return number;
  }

 private:
  const std::string& name_;
};

Json key_json(const TuningKey& key) {
  return {{"backend", key.backend},     {"name", key.name},     {"vendor_id", key.vendor_id},
          {"device_id", key.device_id}, {"driver", key.driver}, {"features", key.features},
          {"threads", key.threads}};
}

TuningKey read_key(const Reader& reader, const Json& json) {
  return {.backend = reader.text(json, "backend"),
          .name = reader.text(json, "name"),
          .vendor_id = reader.text(json, "vendor_id"),
          .device_id = reader.text(json, "device_id"),
          .driver = reader.text(json, "driver"),
          .features = reader.text(json, "features"),
          .threads = reader.count<unsigned>(json, "threads")};
}

Json product_json(const TunedProduct& product) {
  return {{"n", product.n},
          {"k", product.k},
          {"m", product.m},
          {"variant", product.variant},
          {"tile",
           {{"rows", product.tile.rows},
            {"tokens", product.tile.tokens},
            {"group", product.tile.group},
            {"lanes", product.tile.lanes}}},
          {"seconds", product.seconds},
          {"default_seconds", product.default_seconds}};
}

TunedProduct read_product(const Reader& reader, const Json& json) {
  TunedProduct product{.n = reader.count<std::uint32_t>(json, "n"),
                       .k = reader.count<std::uint32_t>(json, "k"),
                       .m = reader.count<std::uint32_t>(json, "m"),
                       .variant = reader.text(json, "variant"),
                       .tile = {},
                       .seconds = reader.seconds(json, "seconds"),
                       .default_seconds = reader.seconds(json, "default_seconds")};
  if (product.m == 0) reader.fail("m", "is 0");
  const Json& tile = reader.member(json, "tile");
  product.tile.rows = reader.count<std::uint16_t>(tile, "rows");
  product.tile.tokens = reader.count<std::uint16_t>(tile, "tokens");
  product.tile.group = reader.count<std::uint16_t>(tile, "group");
  product.tile.lanes = reader.count<std::uint16_t>(tile, "lanes");
  return product;
}

// At most one byte more than a record may have.
std::string read_bytes(std::ifstream& file) {
  std::string text(kLargestFile + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

// Why a choice cannot be followed; empty if it can.
std::string obstacle(const DeviceInfo& device, const TunedProduct& product) {
  const KernelVariant* row = find_variant(product.variant);
  if (row == nullptr) return "there is no variant '" + product.variant + "'";
  if (row->op != Op::Matmul) return product.variant + " does not serve products of weights";
  const BatchClass& batch = batch_class(product.m);
  for (const std::uint32_t m : {batch.first, batch.last}) {
    if (const Support support = supports(device, *row, m); !support) return support.message;
  }
  const std::vector<Tile> tiles = tiles_of(*row);
  if (std::find(tiles.begin(), tiles.end(), product.tile) == tiles.end()) {
    return product.variant + " has no tile of " + tile_text(product.tile);
  }
  return "";
}

}  // namespace

const BatchClass& batch_class(std::uint32_t m) {
  return *std::find_if(std::begin(kBatchClasses), std::end(kBatchClasses) - 1,
                       [&](const BatchClass& batch) { return m <= batch.last; });
}

TuningKey tuning_key(const DeviceInfo& device) {
  return {.backend = std::string(backend_name(device.backend)),
          .name = device.name,
          .vendor_id = device.vendor_id,
          .device_id = device.device_id,
          .driver = device.driver,
          .features = feature_list(device.features),
          .threads = device.threads};
}

void TuningRecord::keep(DeviceTuning tuning) {
  const auto known = std::find_if(devices.begin(), devices.end(),
                                  [&](const DeviceTuning& d) { return d.key == tuning.key; });
  if (known != devices.end()) {
    const std::size_t fresh = tuning.products.size();
    for (const TunedProduct& old : known->products) {
      const auto end = tuning.products.begin() + static_cast<std::ptrdiff_t>(fresh);
      const bool replaced = std::any_of(tuning.products.begin(), end, [&](const TunedProduct& p) {
        return p.n == old.n && p.k == old.k;
      });
      if (!replaced && tuning.products.size() < kMostProducts) tuning.products.push_back(old);
    }
    devices.erase(known);
  }
  if (devices.size() >= kMostDevices) devices.erase(devices.begin());  // the oldest
  devices.push_back(std::move(tuning));
}

std::string write_tuning(const TuningRecord& record) {
  Json devices = Json::array();
  for (const DeviceTuning& tuning : record.devices) {
    Json products = Json::array();
    for (const TunedProduct& product : tuning.products) products.push_back(product_json(product));
    devices.push_back({{"device", key_json(tuning.key)}, {"products", std::move(products)}});
  }
  const Json document = {
      {"format", kFormat}, {"version", kVersion}, {"devices", std::move(devices)}};
  return document.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
}

TuningRecord parse_tuning(std::string_view text, const std::string& name) {
  const Reader reader(name);
  if (text.size() > kLargestFile) reader.fail("is larger than 1 MiB: not a tuning record");
  const Json document = Json::parse(text, nullptr, false);
  if (document.is_discarded()) reader.fail("is not valid JSON: not a tuning record");
  if (reader.text(document, "format") != kFormat) reader.fail("is not a tuning record");
  if (reader.count<unsigned>(document, "version") != kVersion) {
    reader.fail("is a tuning record of another version than " + std::to_string(kVersion));
  }
  TuningRecord record;
  for (const Json& json : reader.list(document, "devices", kMostDevices)) {
    DeviceTuning tuning{read_key(reader, reader.member(json, "device")), {}};
    for (const Json& product : reader.list(json, "products", kMostProducts)) {
      tuning.products.push_back(read_product(reader, product));
    }
    record.devices.push_back(std::move(tuning));
  }
  return record;
}

std::string usual_tuning_file() {
  const auto variable = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value == nullptr ? "" : value);
  };
  if (const std::string named = variable("ROTOR_TUNING"); !named.empty()) return named;
  fs::path folder = variable("XDG_CACHE_HOME");
  if (folder.empty()) {
    folder = variable("HOME");
    if (folder.empty()) return "";
    folder /= ".cache";
  }
  return (folder / "rotor" / "tuning.json").string();
}

TuningRecord load_tuning(const std::string& path, bool must_exist) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    if (error) throw FormatError(path + ": cannot be read: " + error.message());
    if (must_exist) throw FormatError(path + ": there is no such file");
    return {};
  }
  if (!fs::is_regular_file(path, error)) throw FormatError(path + ": is not a file");
  std::ifstream file(path, std::ios::binary);
  if (!file) throw FormatError(path + ": cannot be opened: " + std::strerror(errno));
  return parse_tuning(read_bytes(file), path);
}

void save_tuning(const std::string& path, const TuningRecord& record) {
  std::error_code error;
  const fs::path folder = fs::path(path).parent_path();
  if (!folder.empty()) fs::create_directories(folder, error);
  const std::string fresh = path + "." + std::to_string(::getpid());
  const std::string text = write_tuning(record);
  const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  bool written = file >= 0;
  for (std::size_t at = 0; written && at < text.size();) {
    const ssize_t count = ::write(file, text.data() + at, text.size() - at);
    written = count > 0;
    if (written) at += static_cast<std::size_t>(count);
  }
  written = written && ::fsync(file) == 0;
  if (file >= 0) written = ::close(file) == 0 && written;
  if (written) fs::rename(fresh, path, error);
  if (written && !error) return;
  std::error_code ignored;
  fs::remove(fresh, ignored);
  throw OutputError(path + ": the tuning record cannot be written");
}

Tuning::Tuning(const DeviceInfo& device, const TuningRecord& record) {
  add(device, record, "the tuning record");
}

Tuning::Tuning(const DeviceInfo& device, const TuningOptions& options) {
  if (!options.use) return;
  const bool named = !options.file.empty();
  const std::string path = named ? options.file : usual_tuning_file();
  if (path.empty()) return;
  try {
    add(device, load_tuning(path, named), path);
  } catch (const FormatError& error) {
    if (named) throw;
    complaints_.push_back(std::string(error.what()) + "; nothing is tuned");
  }
}

// A device has few reasons to complain of, and each is told once.
void Tuning::add(const DeviceInfo& device, const TuningRecord& record, const std::string& name) {
  const TuningKey key = tuning_key(device);
  for (const DeviceTuning& tuning : record.devices) {
    if (tuning.key != key) continue;
    for (const TunedProduct& product : tuning.products) {
      if (const std::string why = obstacle(device, product); !why.empty()) {
        const std::string line = name + ": a choice is ignored: " + why;
        const bool told =
            std::find(complaints_.begin(), complaints_.end(), line) != complaints_.end();
        if (!told) complaints_.push_back(line);
        continue;
      }
      KernelVariant variant = *find_variant(product.variant);
      variant.tile = product.tile;
      choices_.push_back({product.n, product.k, &batch_class(product.m), variant});
    }
  }
}

const KernelVariant* Tuning::find(std::uint32_t n, std::uint32_t k, std::uint32_t m) const {
  const BatchClass* batch = &batch_class(m);
  const auto found = std::find_if(choices_.begin(), choices_.end(), [&](const Choice& choice) {
    return choice.n == n && choice.k == k && choice.batch == batch;
  });
  return found == choices_.end() ? nullptr : &found->variant;
}

}  // namespace rotor
