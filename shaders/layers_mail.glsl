// How the work-groups of a dispatch hear of each other: every value that others need is mailed, one word
// each, and whoever needs it looks until it is there (kernels/layers_layout.h). That takes one way through
// memory; to count arrivals and read values behind them took four. No order between words is asked for, so
// relaxed atomics are enough.
#include "shaders/meeting.glsl"

// +0 is sent as -0.
void send_word(uint word, float value) {
  const uint bits = floatBitsToUint(value);
  atomicStore(words[word], bits == 0 ? 0x80000000u : bits, gl_ScopeDevice, gl_StorageSemanticsNone,
              gl_SemanticsRelaxed);
}

// `mail` is where a part of the mail begins, in words.
void send(uint mail, uint element, float value) { send_word(mail + mail_word(element), value); }

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
