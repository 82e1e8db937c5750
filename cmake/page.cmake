# Writes page_parts.h: the style and the scripts of the pages as C++ text, each with the hash by which
# a page's content security policy allows it. Run by the build:
#   cmake -DSOURCE=... -DOUT=... [-DCHART_LIBRARY=chart.min.js] -P page.cmake
# Without the library there are no scripts that draw.

# "sha256-..." of a text: SHA-256 in base 64. Every three hexadecimal digits are two base-64 digits;
# the 64th stands alone, with zero bits behind it.
function(policy_hash text result)
  string(SHA256 hex "${text}")
  set(digits "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  set(out "")
  foreach(i RANGE 0 60 3)
    string(SUBSTRING ${hex} ${i} 3 part)
    math(EXPR high "0x${part} >> 6")
    math(EXPR low "0x${part} & 63")
    string(SUBSTRING ${digits} ${high} 1 a)
    string(SUBSTRING ${digits} ${low} 1 b)
    string(APPEND out ${a}${b})
  endforeach()
  string(SUBSTRING ${hex} 63 1 part)
  math(EXPR last "0x${part} << 2")
  string(SUBSTRING ${digits} ${last} 1 a)
  set(${result} "sha256-${out}${a}=" PARENT_SCOPE)
endfunction()

# `Part{text, hash}` of a file.
function(part_of file result)
  file(READ ${file} text)
  if("${text}" MATCHES "</[sS][cCtT]|<!--")
    message(FATAL_ERROR "${file}: what ends a script or a style inside a page cannot be in one")
  endif()
  policy_hash("${text}" hash)
  # Compilers limit the length of a literal; neighbours join.
  string(LENGTH "${text}" length)
  set(literal "")
  foreach(begin RANGE 0 ${length} 8000)
    string(SUBSTRING "${text}" ${begin} 8000 chunk)
    string(APPEND literal "R\"rotor(${chunk})rotor\"\n")
  endforeach()
  set(${result} "{${literal}, \"${hash}\"}" PARENT_SCOPE)
endfunction()

part_of(${SOURCE}/reports/page.css style)
part_of(${SOURCE}/reports/page_sort.js sort)
set(parts "")
set(count 0)
if(CHART_LIBRARY)
  set(names page_text page_figure page_roofline page_variants page_kv)  # each uses what is before it
  list(TRANSFORM names REPLACE "(.+)" "${SOURCE}/reports/\\1.js")
  foreach(file ${CHART_LIBRARY} ${names})
    part_of(${file} part)
    string(APPEND parts "${part},\n")
    math(EXPR count "${count} + 1")
  endforeach()
endif()
file(WRITE ${OUT} "#pragma once
#include <array>
namespace rotor::page {
struct Part {
  const char* text;
  const char* hash;
};
inline constexpr Part kStyle = ${style};
inline constexpr Part kSort = ${sort};
// The chart library and what draws with it; nothing where the library was not found.
inline constexpr std::array<Part, ${count}> kCharts = {{
${parts}}};
}  // namespace rotor::page
")
