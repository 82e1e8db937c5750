# GPU kernels and documents into C++ constants.

# <file>_text.h in the build folder, with the text of `path` as k<name>Text.
function(rotor_embed_document name file path)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/${path})
  file(READ ${PROJECT_SOURCE_DIR}/${path} text)
  file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/${file}_text.h CONTENT
    "inline constexpr char k${name}Text[] = R\"json(@text@)json\";\n" @ONLY)
endfunction()

# Compiles shaders/*.comp to SPIR-V and gives `target` one function per file that returns the words:
# rotor::vulkan::<stem>().
function(rotor_embed_shaders target)
  file(GLOB shaders CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/shaders/*.comp)
  set(folder ${CMAKE_BINARY_DIR}/shaders)
  file(MAKE_DIRECTORY ${folder})
  set(text "#include <cstdint>\n#include <span>\nnamespace rotor::vulkan {\n")
  foreach(shader ${shaders})
    get_filename_component(stem ${shader} NAME_WE)
    set(words ${folder}/${stem}.inc)
    add_custom_command(OUTPUT ${words}
      COMMAND Vulkan::glslc --target-env=vulkan1.2 -O -mfmt=num -fshader-stage=compute
        -I ${PROJECT_SOURCE_DIR} -MD -MF ${words}.d -o ${words} ${shader}
      DEPENDS ${shader} DEPFILE ${words}.d VERBATIM)
    list(APPEND compiled ${words})
    string(APPEND text "std::span<const std::uint32_t> ${stem}() {\n"
      "  static constexpr std::uint32_t kWords[] = {\n#include \"${stem}.inc\"\n  };\n"
      "  return kWords;\n}\n")
  endforeach()
  string(APPEND text "}  // namespace rotor::vulkan\n")
  file(GENERATE OUTPUT ${folder}/embedded.cpp CONTENT "${text}")
  set_source_files_properties(${folder}/embedded.cpp PROPERTIES OBJECT_DEPENDS "${compiled}")
  target_sources(${target} PRIVATE ${folder}/embedded.cpp)
endfunction()

# Vulkan is loaded at run time through volk; building needs its headers, volk's source and glslc.
# Sets ROTOR_VULKAN_MISSING to what is not there.
function(rotor_find_vulkan)
  find_package(Vulkan QUIET COMPONENTS glslc)
  find_path(VOLK_INCLUDE_DIR volk.h)
  find_file(VOLK_SOURCE volk.c HINTS ${VOLK_INCLUDE_DIR})
  set(missing "")
  if(NOT Vulkan_INCLUDE_DIR)
    list(APPEND missing "Vulkan headers (libvulkan-dev)")
  endif()
  if(NOT TARGET Vulkan::glslc)
    list(APPEND missing "glslc (glslc)")
  endif()
  if(NOT VOLK_INCLUDE_DIR OR NOT VOLK_SOURCE)
    list(APPEND missing "volk (libvulkan-volk-dev)")
  endif()
  list(JOIN missing ", " missing)
  set(ROTOR_VULKAN_MISSING "${missing}" PARENT_SCOPE)
endfunction()

# Gives `target` one function per file of kernels/opencl that returns its text, with the headers that
# it includes (kernels/params.h first of all) put in place: rotor::opencl::<stem>(). Drivers compile it.
function(rotor_embed_opencl target)
  file(GLOB kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/opencl/*.cl)
  file(GLOB headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/kernels/opencl/*.clh
    ${PROJECT_SOURCE_DIR}/kernels/*layout.h)
  set(out ${CMAKE_BINARY_DIR}/opencl_text.cpp)
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR} -DOUT=${out}
      -P ${PROJECT_SOURCE_DIR}/cmake/embed_text.cmake
    DEPENDS ${kernels} ${headers} ${PROJECT_SOURCE_DIR}/kernels/params.h
      ${PROJECT_SOURCE_DIR}/cmake/embed_text.cmake VERBATIM)
  target_sources(${target} PRIVATE ${out})
endfunction()

# OpenCL needs its headers, the C++ ones too, and the loader library to link the module to.
# Sets ROTOR_OPENCL_MISSING to what is not there.
macro(rotor_find_opencl)
  find_package(OpenCL QUIET)
  find_package(OpenCLHeaders QUIET CONFIG)  # before OpenCLHeadersCpp, which needs its target
  set(ROTOR_OPENCL_MISSING "")
  if(NOT OpenCL_FOUND)
    list(APPEND ROTOR_OPENCL_MISSING "libOpenCL (ocl-icd-opencl-dev)")
  endif()
  if(OpenCLHeaders_FOUND)
    find_package(OpenCLHeadersCpp QUIET CONFIG)
  endif()
  if(NOT OpenCLHeadersCpp_FOUND)
    list(APPEND ROTOR_OPENCL_MISSING "OpenCL C++ headers (opencl-headers, opencl-clhpp-headers)")
  endif()
  list(JOIN ROTOR_OPENCL_MISSING ", " ROTOR_OPENCL_MISSING)
endmacro()
