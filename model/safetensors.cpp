#include "model/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/error.h"
#include "model/json.h"

namespace rotor {
namespace {

static_assert(std::endian::native == std::endian::little, "checkpoints are read in place");

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // limit of the reference parser
constexpr std::size_t kMaxTensors = 65536;
constexpr std::size_t kMaxRank = 8;
constexpr std::size_t kMaxNameBytes = 512;

struct DType {
  std::string_view name;
  unsigned bits;
};
constexpr DType kDTypes[] = {
    {"BOOL", 8},        {"U8", 8},          {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8},
    {"F8_E8M0", 8},     {"I16", 16},        {"U16", 16}, {"F16", 16},    {"BF16", 16},
    {"I32", 32},        {"U32", 32},        {"F32", 32}, {"I64", 64},    {"U64", 64},
    {"F64", 64},        {"C64", 64},        {"F4", 4},   {"F6_E2M3", 6}, {"F6_E3M2", 6},
    {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8},
};

// Where a tensor lies in the data section.
struct Entry {
  StoredTensor tensor;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

class HeaderReader {
 public:
  HeaderReader(const std::string& name) : name_(name) {}

  std::vector<Entry> read(const Json& header) const {
    const auto* members = header.get_if<Json::Object>();
    if (members == nullptr) throw FormatError(name_ + ": the header is not a JSON object");
    if (members->size() > kMaxTensors) {
      throw FormatError(name_ + ": " + std::to_string(members->size()) +
                        " tensors, expected at most " + std::to_string(kMaxTensors));
    }
    std::vector<Entry> entries;
    for (const JsonMember& member : *members) {
      if (member.key == "__metadata__") {
        check_metadata(member.value);
      } else {
        entries.push_back(entry(member));
      }
    }
    return entries;
  }

 private:
  [[noreturn]] void fail(const std::string& tensor, const std::string& problem) const {
    throw FormatError(name_ + ": tensor " + quote(tensor) + ": " + problem);
  }

  void check_metadata(const Json& value) const {
    const auto* members = value.get_if<Json::Object>();
    const bool ok = members != nullptr &&
                    std::all_of(members->begin(), members->end(), [](const JsonMember& m) {
                      return m.value.get_if<std::string>() != nullptr;
                    });
    if (!ok) throw FormatError(name_ + ": __metadata__ must map strings to strings");
  }

  Entry entry(const JsonMember& member) const {
    if (member.key.empty() || member.key.size() > kMaxNameBytes) {
      fail(member.key, "name of " + std::to_string(member.key.size()) + " bytes");
    }
    const auto* fields = member.value.get_if<Json::Object>();
    const Json* dtype = member.value.find("dtype");
    const Json* shape = member.value.find("shape");
    const Json* offsets = member.value.find("data_offsets");
    if (fields == nullptr || fields->size() != 3 || dtype == nullptr || shape == nullptr ||
        offsets == nullptr) {
      fail(member.key, "must have exactly dtype, shape and data_offsets");
    }
    const DType& type = find_dtype(member.key, *dtype);
    Entry result;
    result.tensor.name = member.key;
    result.tensor.dtype = type.name;
    result.tensor.shape = numbers(member.key, *shape, "shape");
    if (result.tensor.shape.size() > kMaxRank) {
      fail(member.key, "rank " + std::to_string(result.tensor.shape.size()) +
                           ", expected at most " + std::to_string(kMaxRank));
    }
    const auto range = numbers(member.key, *offsets, "data_offsets");
    if (range.size() != 2 || range[0] > range[1]) {
      fail(member.key, "data_offsets must be [begin, end] with begin <= end");
    }
    result.begin = range[0];
    result.end = range[1];
    check_size(result, type);
    return result;
  }

  const DType& find_dtype(const std::string& tensor, const Json& value) const {
    const auto* text = value.get_if<std::string>();
    if (text == nullptr) fail(tensor, "dtype is not a string");
    const auto* it = std::find_if(std::begin(kDTypes), std::end(kDTypes),
                                  [&](auto& d) { return d.name == *text; });
    if (it == std::end(kDTypes)) fail(tensor, "unknown dtype " + quote(*text));
    return *it;
  }

  std::vector<std::uint64_t> numbers(const std::string& tensor, const Json& value,
                                     const char* field) const {
    std::vector<std::uint64_t> result;
    const auto* items = value.get_if<Json::Array>();
    if (items == nullptr) fail(tensor, std::string(field) + " is not an array");
    for (const Json& item : *items) {
      const auto* number = item.get_if<std::uint64_t>();
      if (number == nullptr)
        fail(tensor, std::string(field) + " holds something else than unsigned integers");
      result.push_back(*number);
    }
    return result;
  }

  void check_size(const Entry& entry, const DType& type) const {
    const std::string shape = shape_text(entry.tensor.shape);
    std::uint64_t bits = type.bits;
    for (const std::uint64_t size : entry.tensor.shape) {
      if (__builtin_mul_overflow(bits, size, &bits))
        fail(entry.tensor.name, "shape " + shape + " overflows");
    }
    const std::uint64_t bytes = entry.end - entry.begin;
    if (bits % 8 != 0 || bits / 8 != bytes) {
      fail(entry.tensor.name, std::string(type.name) + " " + shape + " does not fill its " +
                                  std::to_string(bytes) + " bytes exactly");
    }
  }

  const std::string& name_;
};

std::string_view header_text(std::span<const std::byte> file, const std::string& name) {
  std::uint64_t length = 0;
  if (file.size() < sizeof length) {
    throw FormatError(name + ": " + std::to_string(file.size()) +
                      " bytes are too few for a safetensors file");
  }
  std::memcpy(&length, file.data(), sizeof length);
  if (length > kMaxHeaderBytes || length > file.size() - sizeof length) {
    throw FormatError(name + ": header length " + std::to_string(length) +
                      " at offset 0 in a file of " + std::to_string(file.size()) +
                      " bytes: truncated, or not safetensors");
  }
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + sizeof length,
                              static_cast<std::size_t>(length));
  if (text.empty() || text.front() != '{') {
    throw FormatError(name + ": the header at offset 8 does not begin with '{'");
  }
  return text;
}

}  // namespace

std::string shape_text(std::span<const std::uint64_t> shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  }
  return text + "]";
}

std::vector<StoredTensor> parse_safetensors(std::span<const std::byte> file,
                                            const std::string& name) {
  const std::string_view text = header_text(file, name);
  const auto data = file.subspan(sizeof(std::uint64_t) + text.size());
  // Header object, tensor object, shape array: three levels.
  auto entries = HeaderReader(name).read(parse_json(text, name + ": header", {.depth = 3}));
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t position = 0;
  std::vector<StoredTensor> tensors;
  tensors.reserve(entries.size());
  for (Entry& entry : entries) {
    if (entry.begin != position) {
      throw FormatError(name + ": tensor " + quote(entry.tensor.name) + " begins at data offset " +
                        std::to_string(entry.begin) + ", expected " + std::to_string(position) +
                        " (a hole or an overlap)");
    }
    if (entry.end > data.size()) {
      throw FormatError(name + ": tensor " + quote(entry.tensor.name) + " ends at data offset " +
                        std::to_string(entry.end) + ", but the data section has " +
                        std::to_string(data.size()) + " bytes: the file is truncated");
    }
    position = entry.end;
    entry.tensor.bytes = data.subspan(static_cast<std::size_t>(entry.begin),
                                      static_cast<std::size_t>(entry.end - entry.begin));
    tensors.push_back(std::move(entry.tensor));
  }
  if (position != data.size()) {
    throw FormatError(name + ": " + std::to_string(data.size() - position) +
                      " bytes after the last tensor");
  }
  return tensors;
}

}  // namespace rotor
