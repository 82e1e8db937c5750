// Holds a JSON document against a JSON Schema: the keywords of draft 2020-12 that our schema uses.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rotor {

// What the document does wrong, one line each ("/results/3/perf: ..."); empty if it is valid.
// Throws FormatError if either text is not strict JSON, or the schema uses a keyword not known
// here: a validator that skips what it does not know proves nothing.
std::vector<std::string> schema_violations(std::string_view schema, std::string_view document);

}  // namespace rotor
