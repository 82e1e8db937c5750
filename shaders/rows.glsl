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
