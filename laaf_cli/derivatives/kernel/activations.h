// Activation functions over vectors, with the derivatives that the chain rule and its backward pass need.
#ifndef LAAF_ACTIVATIONS_H
#define LAAF_ACTIVATIONS_H

#include <cmath>

#include "vectors.h"

namespace {

template <class R> struct Exponent;  // exp(r) - 1 = r + r^2 (c[0] + c[1] r + ...) on |r| <= ln(2)/2, by Taylor
template <> struct Exponent<double> {
  static constexpr int bias = 1023, mantissa = 52, n = 12;
  static constexpr double round = 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to an integer in the low bits
  static constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
  static constexpr double tanh_end = 20, exp_end = 708;
};
template <> struct Exponent<float> {
  static constexpr int bias = 127, mantissa = 23, n = 6;
  static constexpr float round = 12582912.0f;
  static constexpr float ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
  static constexpr float tanh_end = 10, exp_end = 87;
};

// exp(x) = power * (1 + rest); x must be within the range of the exponent.
template <class R> struct Split { Vec<R> power, rest; };

template <class R> static inline Split<R> split_exp(Vec<R> x) {
  typedef Exponent<R> E;
  const Vec<R> shifted = x * R(1.44269504088896340736) + E::round;
  const Vec<R> n = shifted - E::round;
  const Vec<R> r = (x - n * E::ln2_high) - n * E::ln2_low;
  constexpr double factorial[] = {2, 6, 24, 120, 720, 5040, 40320, 362880, 3628800, 39916800, 479001600, 6227020800.0};
  Vec<R> q = all<R>(R(1 / factorial[E::n - 1]));
  for (int i = E::n - 2; i >= 0; i--) q = q * r + R(1 / factorial[i]);
  return {(Vec<R>)(((Int<R>)shifted + E::bias) << E::mantissa), r + r * r * q};
}

template <class R> static inline Vec<R> clamp(Vec<R> x, R end) {
  x = x < -end ? all<R>(-end) : x;  // false for NaN, which stays
  return x > end ? all<R>(end) : x;
}

template <class R> static inline Vec<R> vector_tanh(Vec<R> x) {
  const Split<R> e = split_exp<R>(clamp<R>(x, Exponent<R>::tanh_end) * R(2));
  const Vec<R> m = e.power * e.rest + (e.power - R(1));  // exp(2x) - 1, to full relative precision near 0 as well
  return m / (m + R(2));
}

template <class R> static inline Vec<R> vector_sigmoid(Vec<R> x) {
  const Split<R> e = split_exp<R>(clamp<R>(-x, Exponent<R>::exp_end));
  return R(1) / (R(1) + (e.power * e.rest + e.power));
}

template <class R> struct Circle;  // pi/2 in three parts, products of the first two with an integer below `end` exact
template <> struct Circle<double> {
  static constexpr double a = 1.57079632673412561417, b = 6.07710050630396597660e-11, c = 2.02226624879595063154e-21;
  static constexpr double end = 5e5;
  static constexpr int n = 7;
};
template <> struct Circle<float> {
  static constexpr float a = 1.5703125f, b = 4.837512969970703125e-4f, c = 7.549789954891882e-8f;
  static constexpr float end = 8192;
  static constexpr int n = 4;
};

template <class R> struct SineCosine { Vec<R> sine, cosine; };

template <class R> static inline SineCosine<R> vector_sincos(Vec<R> x) {
  typedef Circle<R> C;
  const Vec<R> shifted = x * R(0.636619772367581343076) + Exponent<R>::round;
  const Vec<R> n = shifted - Exponent<R>::round;
  const Int<R> quadrant = (Int<R>)shifted;
  const Vec<R> r = ((x - n * C::a) - n * C::b) - n * C::c, s = r * r;
  constexpr double odd[] = {6, 120, 5040, 362880, 39916800, 6227020800.0, 1307674368000.0, 355687428096000.0};
  constexpr double even[] = {2, 24, 720, 40320, 3628800, 479001600, 87178291200.0, 20922789888000.0};
  Vec<R> p = all<R>(R(1 / odd[C::n])), q = all<R>(R(1 / even[C::n]));
  for (int i = C::n - 1; i >= 0; i--) {
    p = R(1 / odd[i]) - p * s;
    q = R(1 / even[i]) - q * s;
  }
  const Vec<R> sine = r - r * s * p, cosine = R(1) - s * q;
  const Int<R> swapped = (quadrant & 1) != 0, sine_sign = (quadrant & 2) != 0, cosine_sign = ((quadrant + 1) & 2) != 0;
  Vec<R> u = swapped ? cosine : sine, v = swapped ? sine : cosine;
  u = sine_sign ? -u : u;
  v = cosine_sign ? -v : v;
  for (int j = 0; j < N_LANES<R>; j++)
    if (!(std::abs(x[j]) < C::end)) {
      u[j] = std::sin(x[j]);
      v[j] = std::cos(x[j]);
    }
  return {u, v};
}

// What a point of a neuron leaves behind for the chain rule: sigma and its first three derivatives follow from `first`
// (kept in place of the pre-activation) and `second` (kept besides, where n_kept is 2) without a transcendental.
template <class R> struct Kept { Vec<R> first, second; };
template <class R> struct Derivatives { Vec<R> d0, d1, d2, d3; };

template <class R> struct Tanh {
  static constexpr int n_kept = 1;
  static inline Kept<R> keep(Vec<R> z) { return {vector_tanh<R>(z), Vec<R>{}}; }
  static inline Derivatives<R> derive(Kept<R> k) {
    const Vec<R> y = k.first, d = R(1) - y * y;
    return {y, d, R(-2) * y * d, d * (R(4) - R(6) * d)};
  }
};

template <class R> struct Sine {
  static constexpr int n_kept = 2;
  static inline Kept<R> keep(Vec<R> z) {
    const SineCosine<R> found = vector_sincos<R>(z);
    return {found.sine, found.cosine};
  }
  static inline Derivatives<R> derive(Kept<R> k) { return {k.first, k.second, -k.first, -k.second}; }
};

template <class R> struct Sigmoid {
  static constexpr int n_kept = 1;
  static inline Kept<R> keep(Vec<R> z) { return {vector_sigmoid<R>(z), Vec<R>{}}; }
  static inline Derivatives<R> derive(Kept<R> k) {
    const Vec<R> s = k.first, p = s * (R(1) - s);
    return {s, p, p * (R(1) - R(2) * s), p * (R(1) - R(6) * p)};
  }
};

template <class R> struct Silu {  // z s(z); by Leibniz (z s)^(k) = z s^(k) + k s^(k-1)
  static constexpr int n_kept = 2;
  static inline Kept<R> keep(Vec<R> z) { return {z, vector_sigmoid<R>(z)}; }
  static inline Derivatives<R> derive(Kept<R> k) {
    const Vec<R> z = k.first;
    const Derivatives<R> s = Sigmoid<R>::derive({k.second, Vec<R>{}});
    return {z * s.d0, s.d0 + z * s.d1, R(2) * s.d1 + z * s.d2, R(3) * s.d2 + z * s.d3};
  }
};

}  // namespace

#endif
