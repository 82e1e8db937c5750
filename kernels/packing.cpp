#include "kernels/packing.h"

namespace rotor {

std::string_view packing_name(Packing packing) {
  switch (packing) {
    case Packing::None:
      return "none";
    case Packing::Bits2:
      return "bits2";
    case Packing::Bits2x16:
      return "bits2x16";
    case Packing::Trits5x16:
      return "trits5x16";
    case Packing::Int8:
      return "int8";
    case Packing::Int8x16:
      return "int8x16";
    case Packing::F32:
      return "f32";
    case Packing::F16:
      return "f16";
    case Packing::Bf16:
      return "bf16";
    case Packing::Int8Row:
      return "int8row";
    case Packing::Bits6Row:
      return "bits6row";
  }
  return "?";
}

bool is_ternary(Packing packing) {
  return packing >= Packing::Bits2 && packing <= Packing::Int8x16;
}

}  // namespace rotor
