// What was found of whole models, as JSON and back. A reader throws FormatError that names the place.
#pragma once

#include "reports/json_values.h"
#include "reports/report.h"

namespace rotor {

Json kv_json(const KvResult& kv);
KvResult read_kv(const JsonReader& in);

Json kv_timing_json(const KvTiming& t);
KvTiming read_kv_timing(const JsonReader& in);

Json quality_json(const QualityResult& quality);
QualityResult read_quality(const JsonReader& in);

Json sampler_check_json(const SamplerCheck& check);
SamplerCheck read_sampler_check(const JsonReader& in);

}  // namespace rotor
