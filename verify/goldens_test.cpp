// Whole models against what Hugging Face's own implementation answers (verify/goldens/README.md has
// the criteria), for every configuration that rotor offers.

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/error.h"
#include "kernels/host_features.h"
#include "model/convert.h"
#include "model/score.h"
#include "model/session.h"

namespace rotor {
namespace {

using nlohmann::json;

constexpr double kMargin = 0.6;  // the criteria of the goldens' README
constexpr double kMeanNll = 0.02;
constexpr int kPartedTexts = 2;
// <|end_of_text|> and <|eot_id|> of the demo model: its bf16 master has no generation_config.json
// that would tell.
const std::vector<std::uint32_t> kDemoStops = {2033, 2034};
// Without a cache every token costs the whole text: long texts would be quadratic.
constexpr std::size_t kLongestRecomputed = 100;

json load_goldens(const std::string& name) {
  std::ifstream file(std::string(ROTOR_SOURCE_DIR) + "/verify/goldens/" + name);
  return json::parse(file);
}

// The folder with larger test data, or nothing.
std::string test_data() {
  const char* folder = std::getenv("ROTOR_TESTDATA");
  return folder != nullptr ? folder : "";
}

struct Setting {
  std::string name;
  std::string model;
  std::string goldens;  // offline or online
  unsigned threads;
  Features features;
  std::uint32_t chunk;
  Recompute recompute;
  std::string device = "cpu";
  std::optional<TernaryFormat> convert_to = std::nullopt;  // loads what `rotor convert` makes of it
};

// Backends beside the CPU that this build has. Whether there is a device is asked by the tests: asking
// starts drivers.
std::vector<Backend> gpu_backends() {
  std::vector<Backend> found;
  for (const KernelVariant& row : variants()) {
    if (row.backend == Backend::Cpu) continue;
    if (std::find(found.begin(), found.end(), row.backend) == found.end()) {
      found.push_back(row.backend);
    }
  }
  return found;
}

std::vector<Setting> settings() {
  const std::string demo = std::string(ROTOR_SOURCE_DIR) + "/model/demo";
  const std::string master = test_data().empty() ? "" : test_data() + "/models/demo-bf16";
  std::vector<Setting> list;
  using namespace feature;
  const Features levels[] = {Baseline,
                             Avx2,
                             Avx2 | AvxVnni,
                             Avx2 | Avx512 | Avx512Vnni,
                             Avx2 | Avx512 | Avx512Vnni | Avx512Vbmi,
                             NeonDot};
  for (const Features level : levels) {
    if ((host_features() & level) != level) continue;
    std::string name = feature_list(level);
    std::replace(name.begin(), name.end(), ',', '_');
    list.push_back({name, demo, "offline", 1, level, 128, Recompute::Never});
  }
  const Features all = ~Features{0};
  list.push_back({"two_threads", demo, "offline", 2, all, 128, Recompute::Never});
  list.push_back({"chunks_of_7", demo, "offline", 2, all, 7, Recompute::Never});
  list.push_back({"no_cache", demo, "offline", 2, all, 1024, Recompute::EveryToken});
  list.push_back({"online", master, "online", 2, all, 128, Recompute::Never});
  list.push_back({"online_no_cache", master, "online", 1, all, 1024, Recompute::EveryToken});
  // The demo's scales are bf16 numbers that f16 holds exactly. Those of its master are not, and the
  // block formats round them by up to 2^-11 each, far below what one flipped activation changes.
  for (const TernaryFormat format :
       {TernaryFormat::Strided, TernaryFormat::I2S, TernaryFormat::Tq1, TernaryFormat::Tq2}) {
    const std::string name(ternary_format_name(format));
    list.push_back({"as_" + name, demo, "offline", 2, all, 128, Recompute::Never, "cpu", format});
    list.push_back(
        {"online_as_" + name, master, "online", 2, all, 128, Recompute::Never, "cpu", format});
  }
  for (const Backend backend : gpu_backends()) {
    const std::string name(backend_name(backend));
    list.push_back({name, demo, "offline", 0, all, 128, Recompute::Never, name});
  }
  return list;
}

enum class Size : std::uint8_t { Small, Large };

// Why a test cannot run on a device; empty if it can. GPUs in software need minutes for a large model.
std::string why_not(const std::string& device, Size size) {
  if (device == "cpu") return {};
  try {
    const bool software = open_device(device, {})->info().kind == "software";
    return software && size == Size::Large ? device + " is software here: too slow for this" : "";
  } catch (const UnsupportedError& error) {
    return error.what();
  }
}

class DemoGoldens : public testing::TestWithParam<Setting> {
 protected:
  void SetUp() override {
    if (GetParam().model.empty()) {
      GTEST_SKIP() << "ROTOR_TESTDATA is not set: the bf16 master of the demo model is not here";
    }
    const std::string reason = why_not(GetParam().device, Size::Small);
    if (!reason.empty()) GTEST_SKIP() << reason;
    std::string model = GetParam().model;
    if (GetParam().convert_to) {
      const TernaryFormat format = *GetParam().convert_to;
      std::string folder = testing::TempDir() + "/rotor_XXXXXX";
      ASSERT_NE(::mkdtemp(folder.data()), nullptr);
      folder_ = folder;
      model = folder_ / (format == TernaryFormat::Strided ? "m" : "m.gguf");
      convert(GetParam().model, model, {.ternary = format});
    }
    SessionOptions options{.model = model, .device = GetParam().device, .chunk = GetParam().chunk};
    options.device_options = {.threads = GetParam().threads, .feature_mask = GetParam().features};
    session_ = std::make_unique<Session>(options);
  }
  void TearDown() override {
    session_.reset();
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  std::filesystem::path folder_;  // of the converted model
  std::unique_ptr<Session> session_;
};

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

TEST_P(DemoGoldens, ScoresAgree) {
  const json goldens = load_goldens("demo.json")[GetParam().goldens];
  std::size_t positions = 0;
  std::size_t other = 0;
  double worst_nll = 0;
  for (const auto& [name, golden] : goldens.items()) {
    const auto ids = golden["ids"].get<std::vector<std::uint32_t>>();
    if (GetParam().recompute == Recompute::EveryToken && ids.size() > kLongestRecomputed) {
      continue;
    }
    KvCache cache(session_->device(), session_->config(), Packing::F32,
                  static_cast<std::uint32_t>(ids.size()));
    const Scores scores =
        score(session_->transformer(), cache, ids, GetParam().recompute, [] { return true; });
    const auto argmax = golden["argmax"].get<std::vector<std::uint32_t>>();
    const auto margin = golden["margin"].get<std::vector<double>>();
    ASSERT_EQ(scores.argmax.size(), argmax.size()) << name;
    for (std::size_t i = 0; i < argmax.size(); ++i) {
      ++positions;
      if (scores.argmax[i] == argmax[i]) continue;
      ++other;
      EXPECT_LE(margin[i], kMargin) << name << ", position " << i;
    }
    const auto nll = golden["nll"].get<std::vector<double>>();
    if (nll.empty()) continue;
    worst_nll = std::max(worst_nll, std::fabs(mean(scores.nll) - mean(nll)));
    EXPECT_LE(std::fabs(mean(scores.nll) - mean(nll)), kMeanNll) << name;
  }
  std::printf("%s: %zu of %zu arg-maxima differ, mean nll by at most %.2g\n",
              GetParam().name.c_str(), other, positions, worst_nll);
  EXPECT_GT(positions, 50u);
}

// Where a greedy text parts from the golden one, if it does.
std::optional<std::size_t> parting(const std::vector<std::uint32_t>& a,
                                   const std::vector<std::uint32_t>& b) {
  if (a == b) return std::nullopt;
  const auto [at, ignored] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<std::size_t>(at - a.begin());
}

TEST_P(DemoGoldens, GreedyTextsAgree) {
  const json goldens = load_goldens("demo.json")[GetParam().goldens];
  int parted = 0;
  for (const auto& [name, golden] : goldens.items()) {
    if (!golden.contains("greedy")) continue;
    const auto ids = golden["ids"].get<std::vector<std::uint32_t>>();
    if (GetParam().recompute == Recompute::EveryToken && ids.size() > kLongestRecomputed) {
      continue;
    }
    auto expected = golden["greedy"].get<std::vector<std::uint32_t>>();
    std::erase_if(expected, [&](std::uint32_t id) {
      return std::find(kDemoStops.begin(), kDemoStops.end(), id) != kDemoStops.end();
    });
    KvCache cache(session_->device(), session_->config(), Packing::F32,
                  std::min<std::uint32_t>(static_cast<std::uint32_t>(ids.size()) + 64,
                                          session_->config().max_positions));
    Sampler sampler({.temperature = 0});
    const GenerateOptions options{
        .max_tokens = 64, .stop_tokens = kDemoStops, .recompute = GetParam().recompute};
    const GenerateResult result = generate(session_->transformer(), cache, sampler, {}, ids,
                                           options, [](std::uint32_t) { return true; });
    const auto at = parting(result.tokens, expected);
    if (!at) continue;
    ++parted;
    // Legal only where the two best tokens are close.
    std::vector<std::uint32_t> prefix = ids;
    prefix.insert(prefix.end(), result.tokens.begin(),
                  result.tokens.begin() + static_cast<std::ptrdiff_t>(*at));
    KvCache again(session_->device(), session_->config(), Packing::F32,
                  static_cast<std::uint32_t>(prefix.size()));
    const Scores scores =
        score(session_->transformer(), again, prefix, Recompute::Never, [] { return true; });
    std::printf("%s: '%s' parts at step %zu, margin %.3f\n", GetParam().name.c_str(), name.c_str(),
                *at, scores.margin.back());
    EXPECT_LE(scores.margin.back(), kMargin) << name;
  }
  EXPECT_LE(parted, kPartedTexts);
}

INSTANTIATE_TEST_SUITE_P(Settings, DemoGoldens, testing::ValuesIn(settings()),
                         [](const auto& test) { return test.param.name; });

struct SyntheticSetting {
  std::string model;
  double one_minus_cosine;  // at the last position, from the goldens' README
  std::string device = "cpu";
};

std::vector<SyntheticSetting> synthetic_settings() {
  std::vector<SyntheticSetting> list;
  std::vector<std::string> devices = {"cpu"};
  for (const Backend backend : gpu_backends()) devices.emplace_back(backend_name(backend));
  for (const std::string& device : devices) {
    list.push_back({"odd/1", 5e-4, device});
    list.push_back({"2b4t-2layer/1", 5e-4, device});
    list.push_back({"2b4t/1", 5e-3, device});
  }
  return list;
}

class SyntheticGoldens : public testing::TestWithParam<SyntheticSetting> {};

double one_minus_cosine(std::span<const double> a, std::span<const double> b) {
  const double ab = std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  const double aa = std::inner_product(a.begin(), a.end(), a.begin(), 0.0);
  const double bb = std::inner_product(b.begin(), b.end(), b.begin(), 0.0);
  return 1 - ab / std::sqrt(aa * bb);
}

TEST_P(SyntheticGoldens, LastLogitsAgree) {
  const Size size = GetParam().model == "odd/1" ? Size::Small : Size::Large;
  const std::string reason = why_not(GetParam().device, size);
  if (!reason.empty()) GTEST_SKIP() << reason;
  Session session({.model = "synthetic:" + GetParam().model, .device = GetParam().device});
  const json goldens = load_goldens("synthetic.json");
  for (const json& golden : goldens[GetParam().model]) {
    const auto ids = golden["ids"].get<std::vector<std::uint32_t>>();
    KvCache cache(session.device(), session.config(), Packing::F32,
                  static_cast<std::uint32_t>(ids.size()));
    const Scores scores =
        score(session.transformer(), cache, ids, Recompute::Never, [] { return true; });
    const bool all = golden.contains("last_logits");
    const auto expected =
        golden[all ? "last_logits" : "logits_every_997"].get<std::vector<double>>();
    std::vector<double> got;
    for (std::size_t i = 0; i < scores.last_logits.size(); i += all ? 1 : 997) {
      got.push_back(scores.last_logits[i]);
    }
    ASSERT_EQ(got.size(), expected.size());
    const double distance = one_minus_cosine(got, expected);
    std::printf("%s, %zu tokens: 1 - cosine %.2g (limit %.0e)\n", GetParam().model.c_str(),
                ids.size(), distance, GetParam().one_minus_cosine);
    EXPECT_LE(distance, GetParam().one_minus_cosine);
    const auto rms = golden["layer_rms_last"].get<std::vector<double>>();
    ASSERT_EQ(scores.layer_rms_last.size(), rms.size());
  }
}

INSTANTIATE_TEST_SUITE_P(Presets, SyntheticGoldens, testing::ValuesIn(synthetic_settings()),
                         [](const auto& test) {
                           std::string name = test.param.model;
                           if (test.param.device != "cpu") name += "_" + test.param.device;
                           std::replace_if(
                               name.begin(), name.end(),
                               [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

}  // namespace
}  // namespace rotor
