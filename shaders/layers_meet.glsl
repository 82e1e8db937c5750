// Where the work-groups of a dispatch wait for each other. Vulkan does not promise that they run at the
// same time; the device finds out how many do (VulkanDevice::prepare), and every wait has an end.
const uint kArrived = 0;  // words of meeting[]: arrivals so far
const uint kLeft = 32;    // work-groups that need nobody any more
const uint kGaveUp = 64;  // not 0: one waited in vain
const uint kSplits = 128;  // [heads] splits that are done

// Polls. The trial, of no layers, is expected to fail where there are too many work-groups.
const uint kPatience = 1u << 20;
const uint kTrialPatience = 1u << 12;

uint meetings = 0;

// The subgroup that looks for the others, and has no rows to multiply where there are more subgroups: it can
// begin to look while they send for what comes next.
bool is_keeper() { return gl_SubgroupID == 0; }
uint workers() { return max(subgroups - 1, 1); }

// Zero, as far as anyone knows only when the others have arrived: added to the places of what they computed,
// it keeps a compiler from reading them earlier.
uint late = 0;
shared bool all_here;

// What this work-group wrote can be seen by those who see that it arrived. The work is coherent throughout
// the device, so it is enough that one invocation, behind all others, orders it.
void arrive() {
  controlBarrier(gl_ScopeWorkgroup, gl_ScopeWorkgroup, gl_StorageSemanticsBuffer | gl_StorageSemanticsShared,
                 gl_SemanticsAcquireRelease);
  ++meetings;
  if (gl_LocalInvocationID.x == 0) {
    atomicAdd(meeting[kArrived], 1u, gl_ScopeDevice, gl_StorageSemanticsBuffer, gl_SemanticsRelease);
  }
}

// Waits for the others; false if they do not come.
bool everyone_arrived() {
  const uint wanted = meetings * gl_NumWorkGroups.x;
  const uint patience = p.layers == 0 ? kTrialPatience : kPatience;
  if (is_keeper()) {
    bool here = false;
    for (uint polls = 0; polls < patience && !here; ++polls) {
      here = atomicLoad(meeting[kArrived], gl_ScopeDevice, gl_StorageSemanticsNone,
                        gl_SemanticsRelaxed) >= wanted;
    }
    memoryBarrier(gl_ScopeDevice, gl_StorageSemanticsBuffer, gl_SemanticsAcquire);
    if (subgroupElect()) {
      all_here = here;
      if (!here) atomicStore(meeting[kGaveUp], 1u, gl_ScopeDevice, gl_StorageSemanticsNone, gl_SemanticsRelaxed);
    }
  }
  controlBarrier(gl_ScopeWorkgroup, gl_ScopeWorkgroup, gl_StorageSemanticsBuffer | gl_StorageSemanticsShared,
                 gl_SemanticsAcquireRelease);
  const bool here = all_here;
  late = here ? 0 : 1;
  return here;
}

// The last to leave puts the words back to zero for the next dispatch.
void leave() {
  if (gl_LocalInvocationID.x == 0) {
    const uint before = atomicAdd(meeting[kLeft], 1u, gl_ScopeDevice, gl_StorageSemanticsBuffer,
                                  gl_SemanticsAcquireRelease);
    if (before + 1 == gl_NumWorkGroups.x) {
      atomicStore(meeting[kArrived], 0u, gl_ScopeDevice, gl_StorageSemanticsNone, gl_SemanticsRelaxed);
      atomicStore(meeting[kLeft], 0u, gl_ScopeDevice, gl_StorageSemanticsNone, gl_SemanticsRelaxed);
    }
  }
}
