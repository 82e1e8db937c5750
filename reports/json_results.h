// Cases, their verdicts and times, as JSON and back. A reader throws FormatError that names the place.
#pragma once

#include "reports/json_values.h"
#include "reports/report.h"

namespace rotor {

Json result_json(const CaseResult& result, const std::optional<Derived>& derived);
CaseResult read_result(const JsonReader& in);

Json row_check_json(const RowCheck& row);
RowCheck read_row_check(const JsonReader& in);

}  // namespace rotor
