// The plain C interface of the kernel. Arrays are row-major, of float (f32) or double (f64); every pointer is the
// caller's, and nothing is kept. `derivatives/kernel/library.py` holds the same declarations.
// Functions return -1 for arguments that they refuse and -2 where memory is lacking; else 0, or the bytes asked for.
#ifndef LAAF_KERNEL_H
#define LAAF_KERNEL_H

#include <cstdint>

// One term of a chain rule: count times a coefficient times blocks, each the derivative of a stream's number.
struct LaafProduct {
  int32_t row;        // of the coefficient; -1 for 1
  int32_t count;
  int32_t blocks[4];  // streams behind the value
};

// Of the operator L: the derivative of L s(z) with respect to z_inner has count times a coefficient times the outer
// stream of s'(z) in it.
struct LaafPair {
  int32_t row, count;
  int32_t inner, outer;  // streams behind the value
};

// A multilayer perceptron u = W_D z + b_D, z_k = sigma(scale a_k (W_k z_{k-1} + b_k)), and the streams that are carried:
// the value, n_first first derivatives, then n_operators streams of order 2 to 4: each is a linear operator
// L u = sum_a c_a D^a u, whose chain rule is L s(z) = s' L z + sum_k s^(k) sum_p c_p count_p prod_B D^B z, the inner sum
// over products of k blocks B of lower streams, which stand before it. A derivative alone is the operator with c_a = 1.
struct LaafNetwork {
  int32_t n_inputs, n_outputs, n_hidden;
  int32_t activation;            // a row of the table in activations.h
  int32_t n_first, n_operators;
  int32_t order;                 // the highest of an operator, at least 2
  const int32_t *widths;         // [n_hidden]
  const int32_t *product_ends;   // [n_operators][3]: the products of an operator with 2, 3 and 4 blocks end before these
  const LaafProduct *products;
  const int32_t *pair_ends;      // [n_operators]: the pairs of an operator end before this one; read beyond order 2
  const LaafPair *pairs;
  const int32_t *slope_counts;   // [n_hidden]: 0 (fixed), 1, or the width
  double scale;                  // n of the slopes
};

// weights[k]: [n_out, n_in] and biases[k]: [n_out] of layer k, n_hidden + 1 of them; slopes[k]: [slope_counts[k]].
struct LaafParameters {
  void *const *weights;
  void *const *biases;
  void *const *slopes;
};

// Which points a call works on, and where. n_threads parts work side by side; results depend on n_threads alone,
// not on how many threads there really are.
// inputs: [n_streams, n_inputs, n_points]. coefficients: [n_coefficients, n_points]. workspace: 64-byte aligned, of the size that `workspace` tells.
struct LaafCall {
  int64_t n_points;
  int32_t n_threads, n_coefficients;
  const void *inputs, *coefficients;
  void *workspace;
};

// Outputs and cotangents are [n_streams, n_outputs] pointers to [n_points] each; null where one is not wanted, or 0.

#endif
