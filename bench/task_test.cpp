#include "bench/task.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace rotor {
namespace {

TEST(Task, IsTheSameOnTheOtherSide) {
  const Task task{TaskKind::TimeKv, "a name with spaces/n64", 0.1, 1e-9, 12345.678901234567};
  const Task read = parse_task(to_line(task));
  EXPECT_EQ(read.kind, task.kind);
  EXPECT_EQ(read.what, task.what);
  EXPECT_EQ(read.seconds, task.seconds);
  EXPECT_EQ(read.longest_s, task.longest_s);
  EXPECT_EQ(read.now_s, task.now_s);
}

TEST(Task, WhatIsNoneIsRefused) {
  for (const char* line : {"", "visit", "99 1 1 1 x", "-1 1 1 1 x", "1 1 1 1 ", "1 a b c d"}) {
    EXPECT_THROW(parse_task(line), FormatError) << line;
  }
}

}  // namespace
}  // namespace rotor
