// Published figures: times that others published, kept as reports of kind "published" so that a run
// can be held against them. rotor did not measure them: there are no samples and nothing was
// verified. They stand apart from all results, so that no reader can take one for the other; they
// are never gated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "reports/document.h"

namespace rotor {

struct Report;

inline constexpr const char* kNotMeasured = "published, not measured by rotor";

// One product of `m` tokens with ternary weights of `n` outputs by `k` inputs.
struct PublishedProduct {
  std::string run;  // of one publication: its figures were taken together
  std::string backend;
  std::uint32_t m = 0;
  std::uint32_t n = 0;
  std::uint32_t k = 0;
  double seconds = 0;
};

// Seconds per token of a whole model after so many tokens.
struct PublishedTokenTime {
  std::uint32_t tokens = 0;
  double with_cache_s = 0;
  double without_cache_s = 0;
};

struct Publication {
  std::string machine;
  std::string source;              // who published it
  std::vector<std::string> notes;  // what is not known about it
  std::vector<PublishedProduct> products;
  std::vector<PublishedTokenTime> tokens;
};

// Throws UsageError, naming the file, for a report of published figures: `purpose` needs times that
// were measured.
void require_measured(const Report& report, const std::string& name, const std::string& purpose);

// "published/opencl/n2560_k2560_b1/OpenCL"
std::string figure_name(const PublishedProduct& product);
// The publication alone; CSV has a line for each product.
Document document_of(const Publication& published);
std::string publication_csv(const Publication& published);

// The fastest verified kernel of a run for what was published.
struct HeldKernel {
  std::string case_id;
  std::string device;
  std::string device_name;
  bool software = false;  // a GPU that the CPU imitates
  double seconds = 0;     // median
  double low = 0;         // its interval; both the median with too few samples
  double high = 0;
  std::size_t kernels = 0;  // that it is the fastest of
};

struct HeldProduct {
  PublishedProduct published;
  std::optional<HeldKernel> mine;
  std::string lacking;  // why there is none
};

// What the cache gains: times per token are of other models, their ratio can be set side by side.
struct HeldGain {
  std::string model;
  std::string device;
  std::uint32_t position = 0;  // the one nearest to `published.tokens`
  double with_cache_s = 0;
  double without_cache_s = 0;
  PublishedTokenTime published;
};

// A run held against published figures. It describes: nothing of it is faster or slower, because how
// far the published times spread is not known.
struct HeldAgainst {
  std::string name;  // of the file of the figures
  Publication published;
  std::string mine_name;
  std::string mine_label;
  std::string mine_run;
  std::vector<HeldProduct> products;
  std::vector<HeldGain> gains;
  std::size_t wrong = 0;  // cases that the run got wrong
};

// `published` holds a publication, `mine` was measured. Products are joined by shape and batch; of a
// run the fastest kernel with ternary weights on that backend counts, on real devices before
// software ones, with cold weights before cached ones.
HeldAgainst hold_against(const Report& published, const std::string& name, const Report& mine,
                         const std::string& mine_name);
// 2 where the run got something wrong, else 0.
int exit_code(const HeldAgainst& held);

Document document_of(const HeldAgainst& held);
std::string held_json(const HeldAgainst& held);  // reports/held-1.schema.json
std::string held_csv(const HeldAgainst& held);

}  // namespace rotor
