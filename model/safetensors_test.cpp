#include "model/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "core/error.h"
#include "model/safetensors_index.h"

namespace rotor {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A file with this header (its length is put in front) and `data` bytes of 0, 1, 2, ...
std::vector<std::byte> file_of(const std::string& header, std::size_t data) {
  const std::uint64_t length = header.size();
  std::vector<std::byte> file(sizeof length + header.size() + data);
  std::memcpy(file.data(), &length, sizeof length);
  std::memcpy(file.data() + sizeof length, header.data(), header.size());
  for (std::size_t i = 0; i < data; ++i) file[file.size() - data + i] = static_cast<std::byte>(i);
  return file;
}

std::string error_of(std::span<const std::byte> file) {
  try {
    parse_safetensors(file, "f");
  } catch (const FormatError& e) {
    return e.what();
  }
  return "accepted";
}

TEST(Safetensors, TensorsAreFoundWhereTheHeaderSays) {
  const auto file = file_of(
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[],"data_offsets":[6,10]},)"
      R"("a":{"dtype":"U8","shape":[2,3],"data_offsets":[0,6]},)"
      R"("none":{"dtype":"F16","shape":[0,7],"data_offsets":[6,6]}}   )",
      10);
  const auto tensors = parse_safetensors(file, "f");
  ASSERT_EQ(tensors.size(), 3u);
  EXPECT_EQ(tensors[0].name, "a");
  EXPECT_EQ(tensors[0].dtype, "U8");
  EXPECT_THAT(tensors[0].shape, ElementsAre(2, 3));
  EXPECT_EQ(tensors[0].bytes.size(), 6u);
  EXPECT_EQ(tensors[1].name, "none");
  EXPECT_EQ(tensors[2].name, "b");
  EXPECT_EQ(tensors[2].bytes.front(), std::byte{6});
}

struct BadHeader {
  const char* header;
  std::size_t data;
  const char* message;
};

TEST(Safetensors, HeadersThatLieAreRefused) {
  const BadHeader cases[] = {
      {"", 0, "does not begin with '{'"},
      {" {}", 0, "does not begin with '{'"},
      {"{", 0, "not valid JSON at byte"},
      {"{}x", 0, "not valid JSON at byte"},
      {"{\"\xFF\":1}", 0, "not valid JSON at byte"},
      {"{}", 1, "1 bytes after the last tensor"},
      {R"({"a":1})", 0, "must have exactly dtype, shape and data_offsets"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":0}})", 1, "must have exactly"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"dtype":"I8"}})", 1, "appears twice"},
      {R"({"a":{"dtype":"U9","shape":[1],"data_offsets":[0,1]}})", 1, "unknown dtype \"U9\""},
      {R"({"a":{"dtype":8,"shape":[1],"data_offsets":[0,1]}})", 1, "dtype is not a string"},
      {R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", 1, "unsigned integers"},
      {R"({"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})", 1, "unsigned integers"},
      {R"({"a":{"dtype":"U8","shape":[[[1]]],"data_offsets":[0,1]}})", 1, "nested deeper than 3"},
      {R"({"a":{"dtype":"U8","shape":{},"data_offsets":[0,1]}})", 1, "shape is not an array"},
      {R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", 1, "rank 9"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", 1, "begin <= end"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", 1, "begin <= end"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,1]}})", 1, "does not fill its 1 bytes"},
      {R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}})", 2, "does not fill its 2 bytes"},
      {R"({"a":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0,
       "overflows"},
      {R"({"a":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}})", 4, "the file is truncated"},
      {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", 2, "a hole or an overlap"},
      {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
       R"("b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
       2, "a hole or an overlap"},
      {R"({"__metadata__":{"n":1}})", 0, "must map strings to strings"},
      {R"({"":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1, "name of 0 bytes"},
  };
  for (const BadHeader& bad : cases) {
    EXPECT_THAT(error_of(file_of(bad.header, bad.data)), HasSubstr(bad.message)) << bad.header;
  }
}

TEST(Safetensors, HeaderLengthIsCheckedAgainstTheFile) {
  auto file = file_of("{}", 0);
  EXPECT_EQ(error_of(file), "accepted");
  file[0] = std::byte{3};
  EXPECT_THAT(error_of(file), HasSubstr("header length 3 at offset 0"));
  for (int i = 0; i < 8; ++i) file[i] = std::byte{0xFF};
  EXPECT_THAT(error_of(file), HasSubstr("header length 18446744073709551615"));
  EXPECT_THAT(error_of(std::span(file).first(7)), HasSubstr("7 bytes are too few"));
}

TEST(SafetensorsIndex, OnlyBareFileNamesAreAccepted) {
  const auto map =
      parse_index(R"({"metadata":{"total_size":3},"weight_map":{"a":"1.safetensors"}})", "f");
  EXPECT_EQ(map.at("a"), "1.safetensors");
  for (const char* file : {"", "/etc/passwd", "../x", "a/b", "a\\b", "..", ".hidden", "C:x"}) {
    const std::string name(file);
    const std::string escaped = name == "a\\b" ? "a\\\\b" : name;
    const std::string text = "{\"weight_map\":{\"a\":\"" + escaped + "\"}}";
    EXPECT_THROW(parse_index(text, "f"), FormatError) << text;
  }
  for (const char* text : {"{}", "[]", R"({"weight_map":{}})", R"({"weight_map":{"a":1}})",
                           R"({"weight_map":{"a":"x","a":"y"}})"}) {
    EXPECT_THROW(parse_index(text, "f"), FormatError) << text;
  }
}

}  // namespace
}  // namespace rotor
