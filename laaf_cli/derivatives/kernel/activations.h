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

// log(1 + e) = 2 artanh(e / (2 + e)), by its series: the argument is at most 1/3.
template <class R> static inline Vec<R> vector_log1p(Vec<R> e) {  // 0 <= e <= 1
  constexpr int n = sizeof(R) == 8 ? 16 : 7;
  const Vec<R> s = e / (e + R(2)), square = s * s;
  Vec<R> q = all<R>(R(1) / R(2 * n + 1));
#pragma GCC unroll 16
  for (int i = n - 1; i >= 1; i--) q = q * square + R(1) / R(2 * i + 1);
  return R(2) * (s + s * square * q);
}

// (1 - Phi(x)) / phi(x) of the normal distribution for x >= 0 times 1 + x, a polynomial in (x - 4) / (x + 4): by
// interpolation at Chebyshev's nodes, to 3e-17 (double) and 2e-9 (float) relative.
template <class R> struct Mills;
template <> struct Mills<double> {
  static constexpr double c[] = {
      1.1832619145678034,      -0.24239967052180816,    0.035091880234748345,    0.071690481201440726,
      -0.080708009679067785,   0.044959129076984398,    -0.012539103620118907,   -0.00071595090426228682,
      0.0017418487711201582,   -0.00023670176561751564, -0.00022021556122589934, 5.3266998522765402e-05,
      3.4158763380516596e-05,  -8.6062598553365269e-06, -6.5532360713538229e-06, 1.0196122279244076e-06,
      1.3905788437143398e-06,  -3.238458448879413e-09,  -2.8674105075603825e-07, -4.4852920833198979e-08,
      5.0655119607601913e-08,  1.3684620474785319e-08,  -6.5161401284812291e-09, -1.6886238691550213e-09,
      4.4040925724540144e-10};
};
template <> struct Mills<float> {
  static constexpr double c[] = {1.1832619145678034,    -0.24239965271178046,    0.035091891213154106, 0.071689979870935519,
                                 -0.080708319381165683, 0.044963192961749811,    -0.012536579361095104, -0.000730229400796797,
                                 0.0017328863336023425, -0.00021181583749533219, -0.00020427505596147294,
                                 3.1457645930970021e-05, 1.955104074153974e-05};
};

template <class R> struct Normal { Vec<R> below, density; };  // Phi and phi

template <class R> static inline Normal<R> vector_normal(Vec<R> z) {
  constexpr int n = sizeof Mills<R>::c / sizeof(double);
  const Vec<R> x = z < R(0) ? -z : z, t = (x - R(4)) / (x + R(4)), exponent = R(-0.5) * z * z;
  const Split<R> e = split_exp<R>(clamp<R>(exponent, Exponent<R>::exp_end));
  const Vec<R> phi = (e.power * e.rest + e.power) * R(0.398942280401432677940);
  const Vec<R> density = exponent < -Exponent<R>::exp_end ? Vec<R>{} : phi;
  Vec<R> q = all<R>(R(Mills<R>::c[n - 1]));
#pragma GCC unroll 32
  for (int i = n - 2; i >= 0; i--) q = q * t + R(Mills<R>::c[i]);
  const Vec<R> tail = density * q / (R(1) + x);
  return {z < R(0) ? tail : R(1) - tail, density};
}

// What a point of a neuron leaves behind for the chain rule: sigma and its first five derivatives follow without a
// transcendental from the first number (kept in place of the pre-activation) and n_kept - 1 more (kept besides).
template <class R> struct Kept { Vec<R> v[3]; };
template <class R> struct Derivatives { Vec<R> d[6]; };

template <class R> struct Tanh {
  static constexpr int n_kept = 1;
  static inline Kept<R> keep(Vec<R> z) { return {vector_tanh<R>(z)}; }
  static inline Derivatives<R> derive(Kept<R> k) {
    const Vec<R> y = k.v[0], d = R(1) - y * y, d2 = R(-2) * y * d, d3 = d * (R(4) - R(6) * d), bend = R(4) - R(12) * d;
    return {y, d, d2, d3, d2 * bend, d3 * bend - R(12) * d2 * d2};
  }
};

template <class R> struct Sine {
  static constexpr int n_kept = 2;
  static inline Kept<R> keep(Vec<R> z) {
    const SineCosine<R> found = vector_sincos<R>(z);
    return {found.sine, found.cosine};
  }
  static inline Derivatives<R> derive(Kept<R> k) {
    const Vec<R> sine = k.v[0], cosine = k.v[1];
    return {sine, cosine, -sine, -cosine, sine, cosine};
  }
};

template <class R> struct Sigmoid {
  static constexpr int n_kept = 1;
  static inline Kept<R> keep(Vec<R> z) { return {vector_sigmoid<R>(z)}; }
  static inline Derivatives<R> derive(Kept<R> k) {
    const Vec<R> s = k.v[0], p = s * (R(1) - s), q = p * (R(1) - R(2) * s);
    return {s, p, q, p * (R(1) - R(6) * p), q * (R(1) - R(12) * p), p * (R(1) + p * (R(120) * p - R(30)))};
  }
};

template <class R> struct Silu {  // z s(z); by Leibniz (z s)^(k) = z s^(k) + k s^(k-1)
  static constexpr int n_kept = 2;
  static inline Kept<R> keep(Vec<R> z) { return {z, vector_sigmoid<R>(z)}; }
  static inline Derivatives<R> derive(Kept<R> k) {
    const Vec<R> z = k.v[0];
    const Derivatives<R> s = Sigmoid<R>::derive({k.v[1]});
    return {z * s.d[0],
            s.d[0] + z * s.d[1],
            R(2) * s.d[1] + z * s.d[2],
            R(3) * s.d[2] + z * s.d[3],
            R(4) * s.d[3] + z * s.d[4],
            R(5) * s.d[4] + z * s.d[5]};
  }
};

template <class R> struct Softplus {  // log(1 + exp z), whose derivative is the sigmoid
  static constexpr int n_kept = 2;
  static inline Kept<R> keep(Vec<R> z) {
    const Vec<R> size = z < R(0) ? -z : z;
    const Split<R> e = split_exp<R>(clamp<R>(-size, Exponent<R>::exp_end));
    return {(z > R(0) ? z : Vec<R>{}) + vector_log1p<R>(e.power * e.rest + e.power), vector_sigmoid<R>(z)};
  }
  static inline Derivatives<R> derive(Kept<R> k) {
    const Derivatives<R> s = Sigmoid<R>::derive({k.v[1]});
    return {k.v[0], s.d[0], s.d[1], s.d[2], s.d[3], s.d[4]};
  }
};

template <class R> struct Gelu {  // z Phi(z); phi^(k) = (-1)^k He_k phi
  static constexpr int n_kept = 3;
  static inline Kept<R> keep(Vec<R> z) {
    const Normal<R> normal = vector_normal<R>(z);
    return {z, normal.below, normal.density};
  }
  static inline Derivatives<R> derive(Kept<R> k) {
    const Vec<R> z = k.v[0], below = k.v[1], phi = k.v[2], s = z * z;
    return {z * below,
            below + z * phi,
            (R(2) - s) * phi,
            z * (s - R(4)) * phi,
            (s * (R(7) - s) - R(4)) * phi,
            z * (s * (s - R(11)) + R(18)) * phi};
  }
};

}  // namespace

#endif
