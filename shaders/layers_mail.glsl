// How the work-groups of a dispatch hear of each other: every value that others need is mailed, one word
// each, and whoever needs it looks until it is there (kernels/layers_layout.h). That takes one way through
// memory; to count arrivals and read values behind them took four. No order between words is asked for, so
// relaxed atomics are enough.
//
// Vulkan does not promise that work-groups run at the same time. The device finds out how many do
// (VulkanDevice::prepare), and every wait has an end.
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

// +0 is sent as -0.
void send_word(uint word, float value) {
  const uint bits = floatBitsToUint(value);
  atomicStore(words[word], bits == 0 ? 0x80000000u : bits, gl_ScopeDevice, gl_StorageSemanticsNone,
              gl_SemanticsRelaxed);
}

// `mail` is where a part of the mail begins, in words.
void send(uint mail, uint element, float value) { send_word(mail + mail_word(element), value); }

void give_up() {
  atomicExchange(in_vain, 1u);
  atomicStore(words[kGaveUp], 1u, gl_ScopeDevice, gl_StorageSemanticsNone, gl_SemanticsRelaxed);
}

// Elements 4i to 4i + 3, as far as they are there.
uvec4 look_four(uint mail, uint i) {
  const uint at = mail + i / 32 * 128 + i % 32;  // mail_word(4 i)
  return uvec4(look(at), look(at + 32), look(at + 64), look(at + 96));
}

bool is_missing(uvec4 four) { return any(equal(four, uvec4(0))); }

// A NaN if it does not come: whatever is made of it, by whomever, does not look like a result.
float wait_word(uint bits, uint word) {
  [[dont_unroll]] for (uint looks = 0; bits == 0; ++looks) {
    if (looks == kPatience) {
      give_up();
      bits = 0x7FC00000u;
      break;
    }
    bits = look(word);
  }
  return uintBitsToFloat(bits);
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
