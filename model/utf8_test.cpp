#include "model/utf8.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/random.h"

namespace rotor {
namespace {

const std::string kFffd = "\xEF\xBF\xBD";

// Unicode 14, section 3.9, tables 3-8 to 3-11, and the borders of every row of table 3-7.
TEST(Utf8, ReplacesMaximalSubparts) {
  const auto times = [](int n) {
    std::string s;
    for (int i = 0; i < n; ++i) s += kFffd;
    return s;
  };
  const struct {
    std::string bytes, want;
  } cases[] = {
      {"", ""},
      {"plain ASCII, more than eight bytes", "plain ASCII, more than eight bytes"},
      {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", times(8) + "A"},  // overlong forms
      {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", times(8) + "A"},  // surrogates
      {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", times(5) + "A" + times(2) + "B"},
      {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", times(4) + "A"},  // truncated characters
      {"\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF", "\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF"},
      {"\xEE\x80\x80\xF0\x90\x80\x80\xF4\x8F\xBF\xBF",
       "\xEE\x80\x80\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"},
      {"\xF4\x90\x80\x80", times(4)},                   // above U+10FFFF
      {"12345678\xF0\x9F\x91", "12345678" + times(1)},  // ends inside
      {std::string("\0\x7F\x80", 3), std::string("\0\x7F", 2) + kFffd},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(replace_ill_formed(c.bytes), c.want);
    EXPECT_EQ(is_utf8(c.bytes), c.bytes == c.want);
  }
}

TEST(Utf8, DecodesCodePoints) {
  const struct {
    std::string bytes;
    char32_t code;
  } cases[] = {
      {"A", U'A'}, {"\xC3\xA9", 0xE9}, {"\xE2\x82\xAC", 0x20AC}, {"\xF0\x9F\x91\xA9", 0x1F469}};
  for (const auto& c : cases) {
    const Utf8Char got = decode_utf8("x" + c.bytes + "y", 1);
    EXPECT_EQ(got.code, c.code);
    EXPECT_EQ(got.size, c.bytes.size());
    EXPECT_EQ(got.kind, Utf8Char::Kind::Valid);
  }
}

TEST(Utf8Stream, HoldsBackWhatMayBecomeValid) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push(" \xF0\x9F"), " ");
  EXPECT_EQ(stream.push("\x91"), "");
  EXPECT_EQ(stream.push("\xA9!"), "\xF0\x9F\x91\xA9!");
  EXPECT_EQ(stream.flush(), "");
}

TEST(Utf8Stream, ReplacesAtOnceWhatCannotBecomeValid) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("a\xFF"), "a" + kFffd);
  EXPECT_EQ(stream.push("\x80"), kFffd);
  EXPECT_EQ(stream.push("\xE2\x82"), "");
  EXPECT_EQ(stream.push("b"), kFffd + "b");  // the held part is over
  EXPECT_EQ(stream.push("\xED"), "");
  EXPECT_EQ(stream.push("\xA0"), kFffd + kFffd);  // would be a surrogate
}

TEST(Utf8Stream, FlushShowsTheTailAndStartsAnew) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("\xF0\x9F\x91"), "");
  EXPECT_EQ(stream.flush(), kFffd);
  EXPECT_EQ(stream.push("\xA9"), kFffd);
  EXPECT_EQ(stream.flush(), "");
}

// However the bytes are cut, the stream shows what replacing in the whole would.
TEST(Utf8Stream, DoesNotDependOnTheCuts) {
  constexpr std::string_view kBytes =
      "a\x80\xBF\xC2\xE0\xA0\xE2\x82\xAC\xED\x9F\xF0\x90\x9F\xF4\x8F\xFF";
  Random random(1);
  for (int round = 0; round < 20000; ++round) {
    std::string all, shown;
    Utf8Stream stream;
    for (std::uint32_t parts = random.below(6); parts > 0; --parts) {
      std::string part;
      for (std::uint32_t n = random.below(5); n > 0; --n)
        part += kBytes[random.below(kBytes.size())];
      all += part;
      const std::string now = stream.push(part);
      EXPECT_TRUE(is_utf8(now));
      shown += now;
    }
    shown += stream.flush();
    ASSERT_EQ(shown, replace_ill_formed(all)) << "round " << round;
  }
}

}  // namespace
}  // namespace rotor
