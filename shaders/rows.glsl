// Rows of tables and of the cache, read and written as 32-bit words, so that no driver needs 8- or
// 16-bit storage. One of ROTOR_F32, ROTOR_F16, ROTOR_BF16, ROTOR_INT8ROW says what the words hold.

// Words from one row of k elements to the next; halves are packed, so rows of odd k share words and
// this is not for them.
uint row_words(uint k) {
#if defined(ROTOR_F32)
  return k;
#elif defined(ROTOR_INT8ROW)
  return (k + 3) / 4 + 1;
#else
  return k / 2;
#endif
}

// Element j of row `row` of the array of words `words`, as a macro: GLSL passes no buffers.
#if defined(ROTOR_F32)
#define ELEMENT(words, row, k, j) uintBitsToFloat(words[(row) * (k) + (j)])
#elif defined(ROTOR_F16)
#define ELEMENT(words, row, k, j) half_of(words[((row) * (k) + (j)) >> 1], (row) * (k) + (j))
float half_of(uint word, uint index) {
  const vec2 both = unpackHalf2x16(word);
  return (index & 1u) == 0 ? both.x : both.y;
}
#elif defined(ROTOR_BF16)
#define ELEMENT(words, row, k, j) half_of(words[((row) * (k) + (j)) >> 1], (row) * (k) + (j))
float half_of(uint word, uint index) {
  return uintBitsToFloat((index & 1u) == 0 ? word << 16 : word & 0xFFFF0000u);
}
#else
// Codes, then the scale of the row.
#define ELEMENT(words, row, k, j)                                                  \
  (float(byte_of(words[(row) * row_words(k) + (j) / 4], (j) % 4)) *                \
   uintBitsToFloat(words[(row) * row_words(k) + row_words(k) - 1]))
#endif

// Nearest half, ties to even, as core/half.h does it: Vulkan leaves the rounding of its own conversion
// open.
uint half_bits(float f) {
  const uint bits = floatBitsToUint(f);
  const uint sign = (bits >> 16) & 0x8000u;
  const uint magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return sign | 0x7E00u;
  if (magnitude >= 0x477FF000u) return sign | 0x7C00u;
  if (magnitude < 0x38800000u) {
    precise float sum = uintBitsToFloat(magnitude) + 0.5;
    return sign | (floatBitsToUint(sum) - 0x3F000000u);
  }
  const uint rounded = magnitude + 0xFFFu + ((magnitude >> 13) & 1u);
  return sign | ((rounded - 0x38000000u) >> 13);
}

// Elements j to j + 7 of a row whose length k is a multiple of 8, as is j. `wide` names the same array
// as `words`, in units of four words: a load of 16 bytes is what memory likes best.
struct Eight {
  vec4 low;
  vec4 high;
};
#if defined(ROTOR_F32)
#define EIGHT(words, wide, row, k, j)                        \
  Eight(uintBitsToFloat(wide[((row) * (k) + (j)) / 4]),      \
        uintBitsToFloat(wide[((row) * (k) + (j)) / 4 + 1]))
#elif defined(ROTOR_F16)
#define EIGHT(words, wide, row, k, j) eight_halves(wide[((row) * (k) + (j)) / 8])
Eight eight_halves(uvec4 w) {
  return Eight(vec4(unpackHalf2x16(w.x), unpackHalf2x16(w.y)),
               vec4(unpackHalf2x16(w.z), unpackHalf2x16(w.w)));
}
#elif defined(ROTOR_BF16)
#define EIGHT(words, wide, row, k, j) eight_halves(wide[((row) * (k) + (j)) / 8])
Eight eight_halves(uvec4 w) {
  const uvec4 even = w << 16;
  const uvec4 odd = w & 0xFFFF0000u;
  return Eight(uintBitsToFloat(uvec4(even.x, odd.x, even.y, odd.y)),
               uintBitsToFloat(uvec4(even.z, odd.z, even.w, odd.w)));
}
#else
#define EIGHT(words, wide, row, k, j)                                     \
  eight_codes(words[(row) * row_words(k) + (j) / 4],                      \
              words[(row) * row_words(k) + (j) / 4 + 1],                  \
              uintBitsToFloat(words[(row) * row_words(k) + row_words(k) - 1]))
vec4 four_codes(uint w) {
  return vec4(float(byte_of(w, 0)), float(byte_of(w, 1)), float(byte_of(w, 2)), float(byte_of(w, 3)));
}
Eight eight_codes(uint low, uint high, float scale) {
  return Eight(four_codes(low) * scale, four_codes(high) * scale);
}
#endif
