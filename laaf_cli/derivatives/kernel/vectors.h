// Vectors of LAAF_VECTOR_BYTES by the compiler's own vector types: one source for every width of register.
#ifndef LAAF_VECTORS_H
#define LAAF_VECTORS_H

#include <cstdint>
#include <cstring>
#include <utility>

namespace {  // a copy for each variant: the linker must not merge code for different processors

template <class R> struct Lanes;
template <> struct Lanes<float> {
  typedef float V __attribute__((vector_size(LAAF_VECTOR_BYTES)));
  typedef int32_t I __attribute__((vector_size(LAAF_VECTOR_BYTES)));
};
template <> struct Lanes<double> {
  typedef double V __attribute__((vector_size(LAAF_VECTOR_BYTES)));
  typedef int64_t I __attribute__((vector_size(LAAF_VECTOR_BYTES)));
};
template <class R> using Vec = typename Lanes<R>::V;
template <class R> using Int = typename Lanes<R>::I;
template <class R> constexpr int N_LANES = LAAF_VECTOR_BYTES / int(sizeof(R));

template <class R> static inline Vec<R> load(const R *p) { return *reinterpret_cast<const Vec<R> *>(p); }
template <class R> static inline void store(R *p, Vec<R> v) { *reinterpret_cast<Vec<R> *>(p) = v; }
template <class R> static inline Vec<R> load_unaligned(const R *p) {
  Vec<R> v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class R> static inline void store_unaligned(R *p, Vec<R> v) { std::memcpy(p, &v, sizeof v); }
template <class R> static inline Vec<R> all(R x) { return Vec<R>{} + x; }

// One lane for every vector: lane j of v[0] becomes the sum of vector j. Adding neighbours halves the number of
// vectors at each level, at two shuffles a pair.
template <class R, int... J> static inline Vec<R> add_neighbours(Vec<R> a, Vec<R> b, std::integer_sequence<int, J...>) {
#ifdef __clang__
  return __builtin_shufflevector(a, b, (2 * J)...) + __builtin_shufflevector(a, b, (2 * J + 1)...);
#else
  return __builtin_shuffle(a, b, Int<R>{(2 * J)...}) + __builtin_shuffle(a, b, Int<R>{(2 * J + 1)...});
#endif
}
template <class R, int N = N_LANES<R>> static inline void lane_sums(Vec<R> *v) {
  if constexpr (N > 1) {
#pragma GCC unroll 8
    for (int j = 0; j < N / 2; j++)
      v[j] = add_neighbours<R>(v[2 * j], v[2 * j + 1], std::make_integer_sequence<int, N_LANES<R>>{});
    lane_sums<R, N / 2>(v);
  }
}
template <class R> static inline R sum_of_lanes(Vec<R> v) {
  R total = 0;
  for (int j = 0; j < N_LANES<R>; j++) total += v[j];
  return total;
}

}  // namespace

#endif
