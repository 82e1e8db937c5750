#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "reports/test_report.h"

namespace rotor {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace fs = std::filesystem;

// A made-up /proc and /sys.
class EnvironmentTest : public testing::Test {
 protected:
  EnvironmentTest() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    root_ = fs::path(testing::TempDir()) / (std::string("rotor_") + test->name());
    fs::remove_all(root_);
  }
  ~EnvironmentTest() override { fs::remove_all(root_); }

  void put(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void put_handheld() {
    std::string cpuinfo;
    for (int thread = 0; thread < 8; ++thread) {
      cpuinfo += "processor\t: " + std::to_string(thread) +
                 "\nvendor_id\t: AuthenticAMD\ncpu family\t: 23\nmodel\t\t: 144\n"
                 "model name\t: AMD Custom APU\nstepping\t: 2\ncpu MHz\t\t: " +
                 std::to_string(1400 + thread) +
                 ".0\nphysical id\t: 0\ncore id\t\t: " + std::to_string(thread / 2) +
                 "\nbogomips\t: " + std::to_string(5600 + thread) +
                 "\nflags\t\t: fpu sse2 aes avx2 fma f16c\n\n";
    }
    put("proc/cpuinfo", cpuinfo);
    put("proc/meminfo", "MemTotal:       14880000 kB\nMemFree:        9000000 kB\n");
    put("proc/loadavg", "0.50 0.40 0.30 1/500 1234\n");
    put("proc/sys/kernel/osrelease", "6.1.52-valve16-1\n");
    put("etc/os-release", "ID=steamos\nPRETTY_NAME=\"SteamOS\"\n");
    const std::string cache = "sys/devices/system/cpu/cpu0/cache/";
    put(cache + "index0/level", "1\n");
    put(cache + "index0/type", "Data\n");
    put(cache + "index0/size", "32K\n");
    put(cache + "index0/shared_cpu_list", "0-1\n");
    put(cache + "index1/level", "3\n");
    put(cache + "index1/type", "Unified\n");
    put(cache + "index1/size", "4096K\n");
    put(cache + "index1/shared_cpu_list", "0-7\n");
    put("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "schedutil\n");
    put("sys/class/power_supply/ACAD/type", "Mains\n");
    put("sys/class/power_supply/ACAD/online", "0\n");
    put("sys/class/power_supply/BAT1/type", "Battery\n");
    put("sys/class/power_supply/BAT1/capacity", "87\n");
    put("sys/class/hwmon/hwmon3/name", "k10temp\n");
    put("sys/class/hwmon/hwmon3/temp1_input", "51250\n");
  }

  fs::path root_;
};

TEST_F(EnvironmentTest, ReadsWhatTheSystemTells) {
  put_handheld();
  const Machine machine = read_machine(root_);
  EXPECT_EQ(machine.label, "AMD Custom APU, 4 cores");
  EXPECT_EQ(machine.os, "SteamOS");
  EXPECT_EQ(machine.kernel, "6.1");
  EXPECT_EQ(machine.cpu.threads, 8u);
  EXPECT_EQ(machine.cpu.cores, 4u);
  EXPECT_EQ(machine.cpu.sockets, 1u);
  EXPECT_THAT(machine.cpu.flags, ElementsAre("sse2", "avx2", "fma", "f16c"));
  ASSERT_EQ(machine.cpu.caches.size(), 2u);
  EXPECT_EQ(machine.cpu.caches[1].bytes, 4u << 20);
  EXPECT_EQ(machine.cpu.caches[1].shared_by, 8u);
  EXPECT_EQ(machine.memory_bytes, 14880000ull * 1024);
  EXPECT_EQ(machine.virtualised, "");
  EXPECT_EQ(machine.power_start.governor, "schedutil");
  EXPECT_EQ(machine.power_start.on_ac, false);
  EXPECT_EQ(machine.power_start.battery_pct, 87);
  EXPECT_EQ(machine.power_start.cpu_temp_c, 51.25);
  EXPECT_EQ(machine.power_start.load_avg_1m, 0.5);
}

TEST_F(EnvironmentTest, ABareSystemGivesEmptyFields) {
  const Machine machine = read_machine(root_);
  EXPECT_EQ(machine.label, "unknown CPU, 0 cores");
  EXPECT_EQ(machine.power_start.on_ac, std::nullopt);
  EXPECT_THAT(environment_warnings(machine, run_start({}).run.build), IsEmpty());
}

TEST_F(EnvironmentTest, TheHardwareKeyIgnoresWhatChangesByItself) {
  put_handheld();
  const std::uint64_t key = read_machine(root_).hw_key;
  put("proc/meminfo", "MemTotal:       14990000 kB\n");  // firmware keeps a little less
  put("proc/loadavg", "7.50 0.40 0.30 1/500 1234\n");
  put("proc/sys/kernel/osrelease", "6.5.0\n");
  put("sys/class/power_supply/ACAD/online", "1\n");
  std::string cpuinfo = load_file(root_ / "proc/cpuinfo");
  for (char& c : cpuinfo) c = c == '5' ? '4' : c;  // bogomips
  put("proc/cpuinfo", cpuinfo);
  EXPECT_EQ(read_machine(root_).hw_key, key);
}

TEST_F(EnvironmentTest, TheKeysChangeWithWhatTheyStandFor) {
  put_handheld();
  Machine machine = read_machine(root_);
  DeviceFacts gpu;
  gpu.backend = "vulkan";
  gpu.vendor_id = "0x1002";
  gpu.driver = "radv 22.3.6";
  const BuildFacts build = run_start({}).run.build;
  EXPECT_NE(hardware_key(machine, {gpu}), hardware_key(machine, {}));
  EXPECT_NE(software_key(machine, build, {gpu}), software_key(machine, build, {}));
  Machine other = machine;
  other.memory_bytes *= 2;
  EXPECT_NE(hardware_key(other, {}), hardware_key(machine, {}));
  other = machine;
  other.kernel = "6.5";
  EXPECT_EQ(hardware_key(other, {}), hardware_key(machine, {}));
  EXPECT_NE(software_key(other, build, {}), software_key(machine, build, {}));
}

TEST_F(EnvironmentTest, SaysWhyTimesDeserveDistrust) {
  put_handheld();
  put("proc/loadavg", "4.00 0.40 0.30 1/500 1234\n");
  Machine machine = read_machine(root_);
  machine.virtualised = "yes";
  BuildFacts build;
  build.type = "Debug";
  const std::vector<std::string> warnings = environment_warnings(machine, build);
  for (const char* word : {"Debug build", "battery", "schedutil", "load 4", "virtual machine"}) {
    EXPECT_THAT(warnings, Contains(HasSubstr(word)));
  }
}

TEST(Environment, ThisMachineHasACpu) {
  const Machine machine = read_machine();
  EXPECT_GT(machine.cpu.threads, 0u);
  EXPECT_GT(machine.memory_bytes, 0u);
}

}  // namespace
}  // namespace rotor
