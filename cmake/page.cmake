# Writes page_parts.h: the style and the scripts of the pages as C++ text, each with the hash by which
# a page's content security policy allows it. Run by the build: cmake -DSOURCE=... -DOUT=... -P page.cmake

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

set(header "#pragma once\nnamespace rotor::page {\n")
function(add_part name file)
  file(READ ${file} text)
  policy_hash("${text}" hash)
  # Compilers limit the length of a literal; neighbours join.
  string(LENGTH "${text}" length)
  set(literal "")
  foreach(begin RANGE 0 ${length} 8000)
    string(SUBSTRING "${text}" ${begin} 8000 chunk)
    string(APPEND literal "R\"rotor(${chunk})rotor\"\n")
  endforeach()
  string(APPEND header "inline constexpr char k${name}[] =\n${literal};\n"
    "inline constexpr char k${name}Hash[] = \"${hash}\";\n")
  set(header "${header}" PARENT_SCOPE)
endfunction()
add_part(Style ${SOURCE}/reports/page.css)
add_part(Sort ${SOURCE}/reports/page_sort.js)
string(APPEND header "}  // namespace rotor::page\n")
file(WRITE ${OUT} "${header}")
