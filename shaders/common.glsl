// What every kernel shares. The constants are those of LaunchShape (runtime/vulkan_launch.h).
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "kernels/params.h"

layout(local_size_x_id = 0) in;
layout(constant_id = 0) const uint kInvocations = 64;
layout(constant_id = 1) const uint kRows = 1;    // tile: rows of a work-group
layout(constant_id = 2) const uint kTokens = 1;  // tile: tokens of a work-group
layout(constant_id = 3) const uint kLanes = 1;   // invocations that share a row

// The work-group's place in x, which is folded into z where x has a limit.
uint group_index() { return gl_WorkGroupID.x + gl_WorkGroupID.z * gl_NumWorkGroups.x; }

// Words of memory hold 8-bit and 16-bit values: no storage feature is needed to read them.
int byte_of(uint word, uint index) { return bitfieldExtract(int(word), int(8 * index), 8); }
