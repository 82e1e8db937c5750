#include "model/gguf.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include "core/error.h"
#include "model/json.h"
#include "model/safetensors.h"

namespace rotor {
namespace {

constexpr std::uint64_t kMaxPairs = 65536;
constexpr std::uint64_t kMaxTensors = 65536;
constexpr std::uint64_t kMaxKeyBytes = 65535;          // limit of the format
constexpr std::uint64_t kMaxNameBytes = 63;            // limit of the format
constexpr std::uint64_t kMaxStringBytes = 1u << 24;    // a chat template has a few kilobytes
constexpr std::uint64_t kMaxArrayElements = 1u << 24;  // a vocabulary has 2^17
constexpr std::uint64_t kMaxElements = std::uint64_t{1} << 40;
constexpr std::uint32_t kMaxRank = 4;

// Elements and bytes of a block. I2_S adds 32 bytes to a tensor.
struct TypeInfo {
  GgufType type;
  std::string_view name;
  std::uint64_t elements;
  std::uint64_t bytes;
};
constexpr TypeInfo kTypes[] = {
    {GgufType::F32, "F32", 1, 4},        {GgufType::F16, "F16", 1, 2},
    {GgufType::Q4_0, "Q4_0", 32, 18},    {GgufType::Q8_0, "Q8_0", 32, 34},
    {GgufType::Q6_K, "Q6_K", 256, 210},  {GgufType::BF16, "BF16", 1, 2},
    {GgufType::TQ1_0, "TQ1_0", 256, 54}, {GgufType::TQ2_0, "TQ2_0", 256, 66},
    {GgufType::I2_S, "I2_S", 128, 32},
};
constexpr std::uint64_t kI2sTail = 32;

const TypeInfo* find_type(std::uint32_t id) {
  const auto* it = std::find_if(std::begin(kTypes), std::end(kTypes), [&](const TypeInfo& t) {
    return static_cast<std::uint32_t>(t.type) == id;
  });
  return it == std::end(kTypes) ? nullptr : it;
}

// Bytes of a value of fixed size; nothing for strings, arrays and unknown types.
std::optional<std::size_t> value_bytes(GgufValueType type) {
  switch (type) {
    case GgufValueType::U8:
    case GgufValueType::I8:
    case GgufValueType::Bool:
      return 1;
    case GgufValueType::U16:
    case GgufValueType::I16:
      return 2;
    case GgufValueType::U32:
    case GgufValueType::I32:
    case GgufValueType::F32:
      return 4;
    case GgufValueType::U64:
    case GgufValueType::I64:
    case GgufValueType::F64:
      return 8;
    default:
      return std::nullopt;
  }
}

// A tensor's place before it is checked against the data section.
struct Entry {
  GgufTensor tensor;
  std::uint64_t offset;
  std::uint64_t bytes;
};

class Parser {
 public:
  Parser(std::span<const std::byte> file, const std::string& name) : file_(file), name_(name) {}

  GgufFile parse() {
    GgufFile result;
    check_magic();
    result.version = number<std::uint32_t>();
    check_version(result.version);
    const std::uint64_t tensors = count("tensors", kMaxTensors);
    const std::uint64_t pairs = count("keys", kMaxPairs);
    for (std::uint64_t i = 0; i < pairs; ++i) result.pairs.push_back(pair());
    refuse_twins(result.pairs, "key", [](const GgufPair& p) { return p.key; });
    result.alignment = alignment(result);
    std::vector<Entry> entries;
    for (std::uint64_t i = 0; i < tensors; ++i) entries.push_back(entry(result.alignment));
    place(entries, result);
    refuse_twins(result.tensors, "tensor", [](const GgufTensor& t) { return t.name; });
    return result;
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw FormatError(name_ + ": " + problem + " (before offset " + std::to_string(at_) + ")");
  }

  std::span<const std::byte> take(std::uint64_t bytes) {
    if (bytes > file_.size() - at_) {
      fail("the header wants " + std::to_string(bytes) + " bytes where " +
           std::to_string(file_.size() - at_) + " are left: the file is truncated or not GGUF");
    }
    const auto result = file_.subspan(at_, static_cast<std::size_t>(bytes));
    at_ += result.size();
    return result;
  }

  template <typename T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  std::string_view string(std::uint64_t max, const char* what) {
    const auto length = number<std::uint64_t>();
    if (length > max) {
      fail(std::string(what) + " of " + std::to_string(length) + " bytes, expected at most " +
           std::to_string(max));
    }
    const auto bytes = take(length);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  void check_magic() {
    if (file_.size() < 4 || std::memcmp(file_.data(), "GGUF", 4) != 0) {
      throw FormatError(name_ + ": does not begin with \"GGUF\"");
    }
    at_ = 4;
  }

  void check_version(std::uint32_t version) const {
    if (version == 2 || version == 3) return;
    if ((version & 0xFFFF) == 0 && version != 0) fail("big-endian file; convert it on its machine");
    fail("GGUF version " + std::to_string(version) + ", supported: 2 and 3");
  }

  // Every key and tensor takes several bytes, so a lying count fails before it costs anything.
  std::uint64_t count(const char* what, std::uint64_t max) {
    const auto value = number<std::uint64_t>();
    if (value > max) {
      fail(std::to_string(value) + " " + what + ", expected at most " + std::to_string(max));
    }
    return value;
  }

  GgufPair pair() {
    GgufPair result;
    result.key = string(kMaxKeyBytes, "key");
    if (result.key.empty()) fail("empty key");
    const auto type = static_cast<GgufValueType>(number<std::uint32_t>());
    result.value = value(type, result.key);
    return result;
  }

  GgufValue value(GgufValueType type, std::string_view key) {
    switch (type) {
      case GgufValueType::U8:
        return std::uint64_t{number<std::uint8_t>()};
      case GgufValueType::I8:
        return std::int64_t{number<std::int8_t>()};
      case GgufValueType::U16:
        return std::uint64_t{number<std::uint16_t>()};
      case GgufValueType::I16:
        return std::int64_t{number<std::int16_t>()};
      case GgufValueType::U32:
        return std::uint64_t{number<std::uint32_t>()};
      case GgufValueType::I32:
        return std::int64_t{number<std::int32_t>()};
      case GgufValueType::F32:
        return double{number<float>()};
      case GgufValueType::Bool:
        return boolean(key);
      case GgufValueType::String:
        return string(kMaxStringBytes, "string");
      case GgufValueType::Array:
        return array(key);
      case GgufValueType::U64:
        return number<std::uint64_t>();
      case GgufValueType::I64:
        return number<std::int64_t>();
      case GgufValueType::F64:
        return number<double>();
    }
    fail("key " + quote(key) + " has unknown value type " +
         std::to_string(static_cast<std::uint32_t>(type)));
  }

  bool boolean(std::string_view key) {
    const auto byte = number<std::uint8_t>();
    if (byte > 1) fail("key " + quote(key) + ": boolean " + std::to_string(byte));
    return byte == 1;
  }

  GgufArray array(std::string_view key) {
    GgufArray result;
    result.type = static_cast<GgufValueType>(number<std::uint32_t>());
    result.count = count("array elements", kMaxArrayElements);
    if (result.type == GgufValueType::String) {
      for (std::uint64_t i = 0; i < result.count; ++i) {
        result.strings.push_back(string(kMaxStringBytes, "string"));
      }
      return result;
    }
    const auto size = value_bytes(result.type);
    if (!size) {
      fail("key " + quote(key) + ": array of element type " +
           std::to_string(static_cast<std::uint32_t>(result.type)) + " (nested or unknown)");
    }
    result.numbers = take(result.count * *size);
    return result;
  }

  std::uint64_t alignment(const GgufFile& file) const {
    const GgufValue* value = file.find("general.alignment");
    if (value == nullptr) return 32;
    const auto* number = std::get_if<std::uint64_t>(value);
    if (number == nullptr || !std::has_single_bit(*number) || *number < 8 || *number > 4096) {
      fail("general.alignment is not a power of two from 8 to 4096");
    }
    return *number;
  }

  Entry entry(std::uint64_t alignment) {
    Entry result;
    GgufTensor& tensor = result.tensor;
    tensor.name = string(kMaxNameBytes, "tensor name");
    const std::string where = "tensor " + quote(tensor.name);
    const auto rank = number<std::uint32_t>();
    if (rank == 0 || rank > kMaxRank) fail(where + " has " + std::to_string(rank) + " dimensions");
    std::uint64_t elements = 1;
    for (std::uint32_t i = 0; i < rank; ++i) {
      const auto size = number<std::uint64_t>();
      if (size == 0 || __builtin_mul_overflow(elements, size, &elements) ||
          elements > kMaxElements) {
        fail(where + " has an impossible dimension " + std::to_string(size));
      }
      tensor.shape.insert(tensor.shape.begin(), size);
    }
    const auto id = number<std::uint32_t>();
    const TypeInfo* info = find_type(id);
    if (info == nullptr) {
      fail(where + " has type " + std::to_string(id) +
           "; supported: F32, F16, BF16, Q4_0, Q8_0, Q6_K, TQ1_0, TQ2_0, I2_S");
    }
    tensor.type = info->type;
    // I2_S runs over row ends.
    const std::uint64_t run = info->type == GgufType::I2_S ? elements : tensor.shape.back();
    if (run % info->elements != 0) {
      fail(where + " of shape " + shape_text(tensor.shape) + " is not whole blocks of " +
           std::to_string(info->elements) + " (" + std::string(info->name) + ")");
    }
    result.bytes = gguf_tensor_bytes(info->type, tensor.shape);
    result.offset = number<std::uint64_t>();
    if (result.offset % alignment != 0) {
      fail(where + " at data offset " + std::to_string(result.offset) +
           ", which is not a multiple of " + std::to_string(alignment));
    }
    return result;
  }

  // Gives the tensors their bytes.
  void place(std::vector<Entry>& entries, GgufFile& file) const {
    const std::uint64_t start = (at_ + file.alignment - 1) / file.alignment * file.alignment;
    const auto data = file_.subspan(std::min<std::size_t>(start, file_.size()));
    std::vector<const Entry*> order;
    for (Entry& entry : entries) {
      if (entry.bytes > data.size() || entry.offset > data.size() - entry.bytes) {
        throw FormatError(name_ + ": tensor " + quote(entry.tensor.name) + " ends at data offset " +
                          std::to_string(entry.offset) + " + " + std::to_string(entry.bytes) +
                          ", but the data section has " + std::to_string(data.size()) +
                          " bytes: the file is truncated");
      }
      entry.tensor.bytes = data.subspan(entry.offset, entry.bytes);
      order.push_back(&entry);
    }
    std::sort(order.begin(), order.end(),
              [](const Entry* a, const Entry* b) { return a->offset < b->offset; });
    for (std::size_t i = 1; i < order.size(); ++i) {
      if (order[i - 1]->offset + order[i - 1]->bytes > order[i]->offset) {
        throw FormatError(name_ + ": tensors " + quote(order[i - 1]->tensor.name) + " and " +
                          quote(order[i]->tensor.name) + " overlap");
      }
    }
    for (Entry& entry : entries) file.tensors.push_back(std::move(entry.tensor));
  }

  template <typename Items, typename Name>
  void refuse_twins(const Items& items, const char* what, Name name_of) const {
    std::vector<std::string_view> names;
    for (const auto& item : items) names.push_back(name_of(item));
    std::sort(names.begin(), names.end());
    const auto twin = std::adjacent_find(names.begin(), names.end());
    if (twin != names.end()) {
      throw FormatError(name_ + ": " + what + " " + quote(*twin) + " appears twice");
    }
  }

  std::span<const std::byte> file_;
  const std::string& name_;
  std::size_t at_ = 0;  // the next byte to read
};

}  // namespace

const GgufValue* GgufFile::find(std::string_view key) const {
  const auto it =
      std::find_if(pairs.begin(), pairs.end(), [&](const GgufPair& p) { return p.key == key; });
  return it == pairs.end() ? nullptr : &it->value;
}

GgufFile parse_gguf(std::span<const std::byte> file, const std::string& name) {
  return Parser(file, name).parse();
}

std::string_view gguf_type_name(GgufType type) {
  return find_type(static_cast<std::uint32_t>(type))->name;
}

std::uint64_t gguf_tensor_bytes(GgufType type, std::span<const std::uint64_t> shape) {
  const TypeInfo* info = find_type(static_cast<std::uint32_t>(type));
  std::uint64_t elements = 1;
  for (const std::uint64_t size : shape) elements *= size;
  return elements / info->elements * info->bytes + (type == GgufType::I2_S ? kI2sTail : 0);
}

}  // namespace rotor
