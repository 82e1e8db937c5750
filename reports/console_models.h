// What a report says of whole models, as tables for people.
#pragma once

#include <string>

#include "reports/report.h"

namespace rotor {

// The cache against none, seconds per token, generation, quality, strategies and drawn tokens; nothing of
// what the report does not have.
std::string model_blocks(const Report& report);

// "✓ ", "✗ " where something is wrong or broke, else "~ ".
std::string mark(Status status);

}  // namespace rotor
