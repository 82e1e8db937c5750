// A report as tables, and as files that other programs read.
#pragma once

#include "reports/document.h"
#include "reports/report.h"

namespace rotor {

// What each device can do at best: the best of each limit's measurements, and how it changed.
TextTable roof_table(const Report& report);

// Everything: limits, cases, KV cache, evidence, environment.
Document document_of(const Report& report);      // reports/report_document.cpp
std::string report_csv(const Report& report);    // the cases
std::string report_junit(const Report& report);  // reports/junit.cpp

}  // namespace rotor
