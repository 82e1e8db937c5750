// A report as tables, and as files that other programs read.
#pragma once

#include "reports/document.h"
#include "reports/report.h"

namespace rotor {

// What each device can do at best: the best of each limit's measurements, and how it changed.
TextTable roof_table(const Report& report);
std::string roof_name(const Roof& roof);  // "reading 256 MiB"

// What holds the times up, row by row (reports/evidence_tables.cpp): the checks of rows and cases, the
// KV cache against none, drawn tokens against their distribution, injected bugs against the checks.
TextTable evidence_table(const Report& report);
TextTable kv_table(const Report& report);
TextTable sampler_table(const Report& report);
TextTable mutant_table(const Report& report);
// What models write, by format of cache and head; the ways to choose tokens (quality_tables.cpp).
TextTable quality_table(const Report& report);
TextTable strategy_table(const Report& report);
// How fast models write and read prompts, and the share of what their device allows (generation_table.cpp).
TextTable generation_table(const Report& report);
// Machine, devices, build, options, and what happened meanwhile (environment_table.cpp).
TextTable environment_table(const Report& report);

// All of these and the cases.
Document document_of(const Report& report);  // reports/report_document.cpp
// What the charts of a report's page show, as JSON: the devices with their roofs, every timed case, the
// KV cache's times. `row` is the anchor of the row that a point leads to.
std::string chart_data(const Report& report);    // reports/charts.cpp
std::string report_csv(const Report& report);    // the cases
std::string report_junit(const Report& report);  // reports/junit.cpp

}  // namespace rotor
