// Parts of a report as tables.
#pragma once

#include "reports/document.h"
#include "reports/report.h"

namespace rotor {

// What each device can do at best: the best of each limit's measurements, and how it changed.
TextTable roof_table(const Report& report);

}  // namespace rotor
