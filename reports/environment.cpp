#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "build_info.h"
#include "core/random.h"
#include "reports/report.h"

namespace rotor {
namespace {

namespace fs = std::filesystem;

// The first line of a small system file; empty if it is not there.
std::string first_line(const fs::path& path) {
  std::ifstream in(path);
  std::string line;
  std::getline(in, line);
  while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back()))) line.pop_back();
  return line;
}

std::optional<double> number_in(const fs::path& path) {
  std::istringstream in(first_line(path));
  double value = 0;
  if (in >> value) return value;
  return std::nullopt;
}

std::vector<fs::path> entries(const fs::path& folder) {
  std::error_code error;
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder, error)) found.push_back(entry.path());
  std::sort(found.begin(), found.end());
  return found;
}

// "model name\t: AMD EPYC" -> {"model name", "AMD EPYC"}
std::pair<std::string, std::string> key_and_value(const std::string& line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string::npos) return {};
  std::string key = line.substr(0, colon);
  while (!key.empty() && std::isspace(static_cast<unsigned char>(key.back()))) key.pop_back();
  const std::size_t start = line.find_first_not_of(" \t", colon + 1);
  return {key, start == std::string::npos ? "" : line.substr(start)};
}

bool is_vector_extension(const std::string& flag) {
  static const std::set<std::string> others = {"fma", "f16c", "asimd", "asimddp", "i8mm", "sve"};
  return flag.starts_with("sse") || flag.starts_with("ssse") || flag.starts_with("avx") ||
         flag.starts_with("amx") || others.count(flag) > 0;
}

// Sizes as the kernel writes them: "1024K".
std::uint64_t cache_size(const std::string& text) {
  char* end = nullptr;
  const std::uint64_t value = std::strtoull(text.c_str(), &end, 10);
  if (*end == 'K') return value << 10;
  if (*end == 'M') return value << 20;
  return value;
}

// How many threads a list like "0-3,8" names.
unsigned list_length(const std::string& list) {
  unsigned count = 0;
  std::istringstream in(list);
  for (std::string part; std::getline(in, part, ',');) {
    unsigned first = 0;
    unsigned last = 0;
    const int fields = std::sscanf(part.c_str(), "%u-%u", &first, &last);
    count += fields == 2 && last >= first ? last - first + 1 : 1;
  }
  return std::max(count, 1u);
}

std::vector<CpuCache> read_caches(const fs::path& root) {
  std::vector<CpuCache> caches;
  for (const fs::path& index : entries(root / "sys/devices/system/cpu/cpu0/cache")) {
    CpuCache cache;
    cache.level = static_cast<unsigned>(number_in(index / "level").value_or(0));
    cache.type = first_line(index / "type");
    cache.bytes = cache_size(first_line(index / "size"));
    cache.shared_by = list_length(first_line(index / "shared_cpu_list"));
    if (cache.level > 0) caches.push_back(cache);
  }
  return caches;
}

// x86 names, and those of arm, which has no names but numbers.
void read_cpu_line(Cpu& cpu, const std::string& key, const std::string& value) {
  if (key == "vendor_id" || key == "CPU implementer") cpu.vendor = value;
  if (key == "model name" || key == "Hardware") cpu.model = value;
  if (key == "cpu family" || key == "CPU architecture") cpu.family = value;
  if (key == "model" || key == "CPU part") cpu.model_number = value;
  if (key == "stepping" || key == "CPU revision") cpu.stepping = value;
  if ((key == "flags" || key == "Features") && cpu.flags.empty()) {
    std::istringstream flags(value);
    for (std::string flag; flags >> flag;) {
      if (is_vector_extension(flag)) cpu.flags.push_back(flag);
    }
  }
}

// Fills `virtualised` too: the hypervisor bit is among the CPU's flags.
void read_cpu(Machine& machine, const fs::path& root) {
  Cpu& cpu = machine.cpu;
  std::ifstream in(root / "proc/cpuinfo");
  std::set<std::string> sockets;
  std::set<std::string> cores;
  std::string socket = "0";
  bool hypervisor = false;
  for (std::string line; std::getline(in, line);) {
    const auto [key, value] = key_and_value(line);
    if (key == "processor") ++cpu.threads;
    if (key == "physical id") sockets.insert(socket = value);
    if (key == "core id") cores.insert(socket + ':' + value);
    if (key == "flags") hypervisor = (value + ' ').find(" hypervisor ") != std::string::npos;
    read_cpu_line(cpu, key, value);
  }
  cpu.sockets = static_cast<unsigned>(std::max<std::size_t>(sockets.size(), 1));
  cpu.cores = cores.empty() ? cpu.threads : static_cast<unsigned>(cores.size());
  cpu.caches = read_caches(root);
  if (hypervisor) {
    const std::string vendor = first_line(root / "sys/class/dmi/id/sys_vendor");
    machine.virtualised = vendor.empty() ? "yes" : vendor;
  }
}

std::uint64_t read_memory(const fs::path& root) {
  std::ifstream in(root / "proc/meminfo");
  for (std::string line; std::getline(in, line);) {
    const auto [key, value] = key_and_value(line);
    if (key == "MemTotal") return std::strtoull(value.c_str(), nullptr, 10) * 1024;
  }
  return 0;
}

std::string read_os_name(const fs::path& root) {
  std::ifstream in(root / "etc/os-release");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("PRETTY_NAME=")) continue;
    std::string name = line.substr(12);
    name.erase(std::remove(name.begin(), name.end(), '"'), name.end());
    return name;
  }
  return "unknown";
}

// "6.1.0-13-amd64" -> "6.1": what may matter to times, and no more.
std::string major_minor(const std::string& release) {
  const std::size_t first = release.find('.');
  if (first == std::string::npos) return release;
  const std::size_t second = release.find_first_not_of("0123456789", first + 1);
  return release.substr(0, second);
}

std::string read_governor(const fs::path& root) {
  std::set<std::string> governors;
  for (const fs::path& cpu : entries(root / "sys/devices/system/cpu")) {
    const std::string governor = first_line(cpu / "cpufreq/scaling_governor");
    if (!governor.empty()) governors.insert(governor);
  }
  if (governors.size() > 1) return "mixed";
  return governors.empty() ? "" : *governors.begin();
}

void read_supply(PowerState& power, const fs::path& root) {
  for (const fs::path& supply : entries(root / "sys/class/power_supply")) {
    const std::string type = first_line(supply / "type");
    if (type == "Mains") {
      const bool online = number_in(supply / "online").value_or(0) != 0;
      power.on_ac = power.on_ac.value_or(false) || online;
    }
    if (type == "Battery" && first_line(supply / "scope") != "Device") {
      power.battery_pct = number_in(supply / "capacity");
    }
  }
}

void read_temperatures(PowerState& power, const fs::path& root) {
  static const std::set<std::string> cpu_sensors = {"coretemp", "k10temp", "zenpower",
                                                    "cpu_thermal"};
  for (const fs::path& sensor : entries(root / "sys/class/hwmon")) {
    const std::optional<double> milli = number_in(sensor / "temp1_input");
    if (!milli) continue;
    const std::string name = first_line(sensor / "name");
    if (cpu_sensors.count(name) > 0) power.cpu_temp_c = *milli / 1000;
    if (name == "amdgpu") power.gpu_temp_c = *milli / 1000;
  }
}

// The power of two next to the gibibytes: what is fitted, whatever the firmware keeps for itself.
int memory_class(std::uint64_t bytes) {
  if (bytes == 0) return -1;
  return static_cast<int>(std::lround(std::log2(static_cast<double>(bytes) / (1u << 30))));
}

}  // namespace

BuildFacts this_build() {
  BuildFacts facts;
  facts.version = build::kVersion;
  facts.commit = build::kCommit;
  facts.dirty = build::kDirty;
  facts.compiler = build::kCompiler;
  facts.type = build::kType;
  facts.flags = build::kFlags;
  return facts;
}

PowerState read_power(const std::string& root_name) {
  const fs::path root = root_name;
  PowerState power;
  power.governor = read_governor(root);
  power.profile = first_line(root / "sys/firmware/acpi/platform_profile");
  power.load_avg_1m = number_in(root / "proc/loadavg");
  read_supply(power, root);
  read_temperatures(power, root);
  return power;
}

Machine read_machine(const std::string& root_name) {
  const fs::path root = root_name;
  Machine machine;
  read_cpu(machine, root);
  machine.memory_bytes = read_memory(root);
  machine.os = read_os_name(root);
  machine.kernel = major_minor(first_line(root / "proc/sys/kernel/osrelease"));
  machine.power_start = read_power(root_name);
  machine.label = (machine.cpu.model.empty() ? "unknown CPU" : machine.cpu.model) + ", " +
                  std::to_string(machine.cpu.cores) + (machine.cpu.cores == 1 ? " core" : " cores");
  machine.hw_key = hardware_key(machine, {});
  machine.sw_key = software_key(machine, this_build(), {});
  return machine;
}

std::uint64_t hardware_key(const Machine& machine, const std::vector<DeviceFacts>& devices) {
  const Cpu& cpu = machine.cpu;
  std::ostringstream identity;
  identity << cpu.vendor << '|' << cpu.model << '|' << cpu.family << '|' << cpu.model_number << '|'
           << cpu.stepping << '|' << cpu.sockets << '|' << cpu.cores << '|' << cpu.threads;
  for (const CpuCache& cache : cpu.caches) {
    identity << '|' << cache.level << cache.type << cache.bytes << '/' << cache.shared_by;
  }
  identity << '|' << memory_class(machine.memory_bytes);
  for (const DeviceFacts& device : devices) {
    if (device.backend != "cpu") identity << '|' << device.vendor_id << ':' << device.device_id;
  }
  return mix(fnv1a(identity.str()));
}

std::uint64_t software_key(const Machine& machine, const BuildFacts& build,
                           const std::vector<DeviceFacts>& devices) {
  std::ostringstream identity;
  identity << machine.os << '|' << machine.kernel << '|' << build.compiler << '|' << build.flags;
  for (const DeviceFacts& device : devices) identity << '|' << device.driver;
  return mix(fnv1a(identity.str()));
}

std::vector<std::string> environment_warnings(const Machine& machine, const BuildFacts& build) {
  std::vector<std::string> warnings;
  const PowerState& power = machine.power_start;
  if (build.type != "Release" && build.type != "RelWithDebInfo") {
    warnings.push_back("a " + (build.type.empty() ? "plain" : build.type) +
                       " build: times say nothing about a Release build");
  }
  if (power.on_ac == false) warnings.push_back("on battery: clocks may be limited");
  if (!power.governor.empty() && power.governor != "performance") {
    warnings.push_back("CPU clock governor is \"" + power.governor +
                       "\", not \"performance\": clocks may change during the run");
  }
  if (power.load_avg_1m && *power.load_avg_1m > 0.25 * std::max(machine.cpu.threads, 1u)) {
    std::ostringstream text;
    text << "the machine was busy at the start: load " << *power.load_avg_1m << " on "
         << machine.cpu.threads << " threads";
    warnings.push_back(text.str());
  }
  if (!machine.virtualised.empty()) {
    warnings.push_back("a virtual machine: neighbours may disturb the times");
  }
  return warnings;
}

}  // namespace rotor
