// Work-groups that wait for each other, by words of a buffer: words[], which whoever includes this declares. No
// order between words is asked for, so relaxed atomics are enough.
//
// Vulkan does not promise that work-groups run at the same time. The device finds out how many do
// (runtime/meeting.cpp), and every wait has an end.
const uint kArrived = 0;  // words for meetings: arrivals at the trial
const uint kLeft = 32;    // work-groups that need nobody any more
const uint kGaveUp = 64;  // not 0: one waited in vain

// Looks. The trial, of no layers, is expected to fail where there are too many work-groups.
const uint kPatience = 1u << 18;
const uint kTrialPatience = 1u << 12;

shared uint in_vain;  // not 0: an invocation of this work-group waited in vain

uint look(uint word) {
  return atomicLoad(words[word], gl_ScopeDevice, gl_StorageSemanticsNone, gl_SemanticsRelaxed);
}

void give_up() {
  atomicExchange(in_vain, 1u);
  atomicStore(words[kGaveUp], 1u, gl_ScopeDevice, gl_StorageSemanticsNone, gl_SemanticsRelaxed);
}

// Words that everyone has read, shared out among `members` work-groups of which this is number `member`.
void clear_mail(uint first, uint end, uint member, uint members) {
  const uint begin = first + member * kInvocations + gl_LocalInvocationID.x;
  [[dont_unroll]] for (uint i = begin; i < end; i += members * kInvocations) {
    atomicStore(words[i], 0u, gl_ScopeDevice, gl_StorageSemanticsNone, gl_SemanticsRelaxed);
  }
}

// The trial: whether all work-groups run at once. The last to leave puts the words back to zero.
bool all_meet() {
  bool here = false;
  if (gl_LocalInvocationID.x == 0) {
    atomicAdd(words[kArrived], 1u, gl_ScopeDevice, gl_StorageSemanticsNone, gl_SemanticsRelaxed);
    [[dont_unroll]] for (uint looks = 0; looks < kTrialPatience && !here; ++looks) {
      here = look(kArrived) >= gl_NumWorkGroups.x;
    }
    if (!here) give_up();
    const uint before = atomicAdd(words[kLeft], 1u, gl_ScopeDevice, gl_StorageSemanticsBuffer,
                                  gl_SemanticsAcquireRelease);
    if (before + 1 == gl_NumWorkGroups.x) {
      atomicStore(words[kArrived], 0u, gl_ScopeDevice, gl_StorageSemanticsNone, gl_SemanticsRelaxed);
      atomicStore(words[kLeft], 0u, gl_ScopeDevice, gl_StorageSemanticsNone, gl_SemanticsRelaxed);
    }
  }
  barrier();
  return in_vain == 0;
}

shared bool some_is_partial;

// Whether subgroups have all their lanes, `least` or more.
bool all_subgroups_full(uint least) {
  if (gl_LocalInvocationID.x == 0) some_is_partial = false;
  barrier();
  if (gl_SubgroupSize < least || subgroupAdd(1u) != gl_SubgroupSize) some_is_partial = true;
  barrier();
  return !some_is_partial;
}
