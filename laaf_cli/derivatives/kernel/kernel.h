// The plain C interface of the kernel. Arrays are row-major, of float (f32) or double (f64); every pointer is the
// caller's, and nothing is kept. `derivatives/kernel/library.py` holds the same declarations.
// Functions return -1 for arguments that they refuse and -2 where memory is lacking; else 0, or the bytes asked for.
#ifndef LAAF_KERNEL_H
#define LAAF_KERNEL_H

#include <cstdint>

// A multilayer perceptron u = W_D z + b_D, z_k = sigma(scale a_k (W_k z_{k-1} + b_k)), and the streams that are carried:
// the value, n_first first derivatives, then n_second streams of second order: each is a linear operator
// L u = sum_i c_i u_i + sum_ij c_ij u_ij, whose chain rule is L s(z) = s' L z + s'' sum_ij c_ij z_i z_j. A second
// derivative u_ij alone is the operator with the one pair (i, j) and c_ij = 1.
struct LaafNetwork {
  int32_t n_inputs, n_outputs, n_hidden;
  int32_t activation;            // a row of the table in activations.h
  int32_t n_first, n_second;
  const int32_t *widths;         // [n_hidden]
  const int32_t *pair_ends;      // [n_second]: the pairs of an operator end before this one
  const int32_t *pairs;          // [][3]: two first derivatives, and the row of c_ij among the coefficients or -1 for 1
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
